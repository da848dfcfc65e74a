import type { ViewEntry } from './view/view-props.ts';

/** All views in the order of the navigation. Each module exports `View`; it and its style sheet are loaded when it is first shown. */
export const views: readonly ViewEntry[] = [
  {
    path: '/',
    title: 'Overview',
    inNav: true,
    about:
      'Each card is a Node.js process that this agent is attached to. The sentence on top says whether it is healthy and, if not, what it is. The charts are read from outside the process every few seconds; marks on their time axis are captures, stalls, alerts and deaths: click one to open it.',
    load: () => import('./view/overview-view.tsx'),
  },
  {
    path: '/captures',
    title: 'Captures',
    inNav: true,
    about:
      'A CPU profile shows which functions took the time; a heap snapshot shows every object in memory and stops the process while it is taken, so its cost is forecast before the click. What was captured is kept by the agent until its room is needed.',
    load: () => import('./view/captures-view.tsx'),
  },
  {
    path: '/requests',
    title: 'Requests',
    inNav: true,
    about:
      'Requests as the service’s own OpenTelemetry spans tell them: a waterfall shows where the time of one request went, routes sum up all of them, and hot functions rank the work by what it costs in all.',
    load: () => import('./view/requests-view.tsx'),
  },
  {
    path: '/agent',
    title: 'Agent',
    inNav: true,
    about:
      'Sidescope itself: the process beside yours. What of it is on, what is off and why, the options in effect, and who you are to it.',
    load: () => import('./view/agent-view.tsx'),
  },
];
