/** How numbers and times read on the page, by unit, in one place. Nothing here touches the DOM or the clock. */

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** 1536 -> "1.5 KiB". Three significant digits at most; binary units, as limits of containers are. */
export function formatBytes(bytes: number): string {
  let value = Math.abs(bytes);
  let unit = 0;
  while (unit < byteUnits.length - 1 && Math.round(value) >= 1024) {
    value /= 1024;
    unit += 1;
  }
  return `${bytes < 0 ? '−' : ''}${compact(value)} ${byteUnits[unit] ?? 'B'}`;
}

/** 0.4 -> "0.4 ms", 950 -> "950 ms", 1500 -> "1.5 s", 90_000 -> "1 min 30 s", 7_500_000 -> "2 h 5 min", then days. */
export function formatDuration(durationMs: number): string {
  const ms = Math.max(0, durationMs);
  if (ms < 999.5) return `${compact(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 59.95) return `${compact(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return pair([Math.floor(whole / 60), 'min'], [whole % 60, 's']);
  const minutes = Math.round(whole / 60);
  if (minutes < 1440) return pair([Math.floor(minutes / 60), 'h'], [minutes % 60, 'min']);
  const hours = Math.round(minutes / 60);
  return pair([Math.floor(hours / 24), 'd'], [hours % 24, 'h']);
}

/** Whole seconds for what ticks on the page: "0:07", "12:30", "1:02:03". */
export function formatClock(durationMs: number): string {
  const total = Math.max(0, Math.floor(durationMs / 1000));
  const seconds = String(total % 60).padStart(2, '0');
  const minutes = Math.floor(total / 60) % 60;
  const hours = Math.floor(total / 3600);
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${seconds}` : `${minutes}:${seconds}`;
}

/** For what grows while one looks: whole seconds, nothing below one. */
export function formatElapsed(elapsedMs: number): string {
  return formatDuration(Math.max(1000, Math.floor(elapsedMs / 1000) * 1000));
}

export function formatRange(range: { low: number; high: number }, format: (value: number) => string): string {
  const low = format(range.low);
  const high = format(range.high);
  return low === high ? low : `${low} to ${high}`;
}

/** 12345 -> "12,345": the same in every locale, as the sizes are. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** "1 profile", "3 profiles". */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Digits that always say less than 100 % while something is missing. */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent > 0 && percent < 0.1) return '< 0.1 %';
  // Sums of shares miss 1 by a rounding.
  if (percent > 99.9 && percent < 99.9999) return '> 99.9 %';
  return `${compact(percent)} %`;
}

/** Local time of day for today, with the date else: "14:03:22", "Nov 3, 14:03:22". */
export function formatTime(iso: string, nowMs: number): string {
  const time = new Date(iso);
  const day = new Date(nowMs);
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, '0'));
  if (time.toDateString() === day.toDateString()) return clock.join(':');
  const date = formatDay(time);
  return `${time.getFullYear() === day.getFullYear() ? date : `${date} ${time.getFullYear()}`}, ${clock.join(':')}`;
}

/** Local: "Nov 3". */
export function formatDay(time: Date): string {
  return `${months[time.getMonth()] ?? ''} ${time.getDate()}`;
}

/** Moments within a sentence of the agent, which knows UTC only. */
export function withLocalTimes(text: string, nowMs: number): string {
  return text.replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, (iso) => formatTime(iso, nowMs));
}

/** For the hover of every local time: "2026-01-31 12:00:00 UTC". */
export function formatUtc(iso: string): string {
  return `${new Date(iso).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** "12 s ago", "3 min ago": one unit. A time in the future (clocks differ) is "just now". */
export function formatAgo(elapsedMs: number): string {
  if (elapsedMs < 1500) return 'just now';
  return `${formatDuration(elapsedMs).split(' ').slice(0, 2).join(' ').replace(/\.\d+/, '')} ago`;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/** At most three significant digits, no trailing zeros, no exponent. */
function compact(value: number): string {
  if (value >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(value < 0.01 ? 1 : value < 1 ? 2 : 3)));
}

type Part = readonly [amount: number, unit: string];

function pair(large: Part, small: Part): string {
  return small[0] === 0 ? `${large[0]} ${large[1]}` : `${large[0]} ${large[1]} ${small[0]} ${small[1]}`;
}
