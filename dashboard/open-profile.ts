import type { Profile, ProfileFormat } from '../protocol/rest/profile.ts';
import type { Api } from './api.ts';
import { apiBase } from './api.ts';

/**
 * Opens the profile in the speedscope that the agent serves. Speedscope reads `profileURL` by a plain fetch without headers, so it gets
 * a ticket link of this origin: the profile goes from the agent to this browser and nowhere else. The tab is opened before the
 * ticket is asked for, as a pop-up blocker lets only the click itself open one.
 */
export async function openInSpeedscope(api: Api, profile: Profile): Promise<void> {
  const tab = window.open('about:blank', '_blank');
  try {
    const { url } = await api.ticket(profile.id);
    const address = speedscopeAddress(url, profile.fileName);
    if (tab === null) location.assign(address);
    else tab.location.replace(address);
  } catch (error) {
    tab?.close();
    throw error;
  }
}

/** Saves the file by the browser's own download, which resumes and needs no memory of the page. */
export async function downloadProfile(api: Api, profile: Profile, format?: ProfileFormat): Promise<void> {
  const { url } = await api.ticket(profile.id, format);
  follow(url);
}

/** A heap snapshot without the contents of its strings, to be shared; it is made while it comes. */
export async function downloadRedacted(api: Api, profile: Profile): Promise<void> {
  const { url } = await api.ticket(profile.id, 'heapsnapshot', true);
  follow(url);
}

function follow(url: string): void {
  const link = document.createElement('a');
  link.href = url;
  link.download = '';
  document.body.append(link);
  link.click();
  link.remove();
}

export function speedscopeAddress(ticketUrl: string, title: string): string {
  const fragment = `profileURL=${encodeURIComponent(ticketUrl)}&title=${encodeURIComponent(title)}`;
  return `${apiBase}/ui/speedscope/index.html#${fragment}`;
}
