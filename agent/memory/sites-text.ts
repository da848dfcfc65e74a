import { longFrameText } from '../../protocol/cpu-profile/frame-text.ts';
import type { GrowthSite, SitePlace } from '../../protocol/rest/leaks.ts';

/**
 * `sites.txt` of an alert: one line per site, as its author wrote it where that is known: live bytes, bytes per minute,
 * function and place, who called it, and the place in the code that runs. `forMs`: the time that the growth is of.
 */
export function sitesText({ sites, forMs }: { sites: readonly GrowthSite[]; forMs?: number }): string {
  const over = forMs === undefined ? '' : `, over ${Math.round(forMs / 1000)} s`;
  const lines = sites.map((site) => {
    const { bytesPerMinute, liveBytes, original, caller } = site;
    const live = `${(liveBytes / 1e6).toFixed(2)} MB`.padStart(12);
    const rate = `${(bytesPerMinute / 1e6).toFixed(3)} MB/min`.padStart(16);
    const from = caller === null ? '' : `  <- ${placeText(caller)}`;
    const raw = original === null ? '' : `  (as run: ${placeText(site)})`;
    return `${live}${rate}  ${placeText(original ?? site)}${from}${raw}`;
  });
  return `${[`allocated and still there${over}:`, ...lines].join('\n')}\n`;
}

function placeText({ functionName, url, line, column }: SitePlace): string {
  return longFrameText({ functionName, url, line, column, scriptId: '0' });
}
