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
    path: '/profile',
    title: 'Profile',
    inNav: false,
    below: '/captures',
    about:
      'A flame graph: each box is a function, below it what it called, as wide as the time (or memory) it took with all it called; the widest are on the left. Zoom with Ctrl and the wheel, by a double click or with two fingers; arrows and Enter do the same. The tables beside it say it in words.',
    load: () => import('./view/profile-view.tsx'),
  },
  {
    path: '/profile/:id',
    title: 'Profile',
    inNav: false,
    below: '/captures',
    about:
      'A flame graph: each box is a function, below it what it called, as wide as the time (or memory) it took with all it called; the widest are on the left. Zoom with Ctrl and the wheel, by a double click or with two fingers; arrows and Enter do the same. The tables beside it say it in words.',
    load: () => import('./view/profile-view.tsx'),
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
    path: '/memory',
    title: 'Memory',
    inNav: true,
    about:
      'What the process holds, by pool, and how near its limits are. A leak is called one only after its floor, what is left after garbage collections, kept growing; the sites below say which functions allocated what stayed. Runs that ended are at the end, with what was known of them.',
    load: () => import('./view/memory-view.tsx'),
  },
  {
    path: '/heap',
    title: 'Heap explorer',
    inNav: false,
    below: '/memory',
    about:
      'A heap snapshot, analysed in this browser: nothing is uploaded. Self is the object alone; retained is what would be freed with it. A class counts nothing twice.',
    load: () => import('./view/heap-view.tsx'),
  },
  {
    path: '/heap/:id',
    title: 'Heap explorer',
    inNav: false,
    below: '/memory',
    about:
      'A heap snapshot, analysed in this browser: nothing is uploaded. Self is the object alone; retained is what would be freed with it. A class counts nothing twice.',
    load: () => import('./view/heap-view.tsx'),
  },
  {
    path: '/stacks',
    title: 'Stacks',
    inNav: true,
    about:
      'What every thread executes at this moment, also when its event loop is blocked, and the blocks that the stall watch saw: their stacks, merged, say where the time went.',
    load: () => import('./view/stacks-view.tsx'),
  },
  {
    path: '/regressions',
    title: 'Regressions',
    inNav: true,
    about:
      'How the program is now beside how it was: its own baseline, and the version before it. A change counts when it is beyond both its limit and the noise of the baseline; one that more requests explain is listed and alerts nobody.',
    load: () => import('./view/regressions-view.tsx'),
  },
  {
    path: '/alerts',
    title: 'Alerts',
    inNav: true,
    about:
      'An alert is one episode of one problem: from its first report until it has been quiet for a while, with the evidence that was there. A death record says how an earlier run of the process ended, as far as that can be known from outside.',
    load: () => import('./view/alerts-view.tsx'),
  },
  {
    path: '/compare/:id/:other',
    title: 'Comparison',
    inNav: false,
    below: '/captures',
    about:
      'Two profiles, function by function, as shares of the time that each was busy: so a longer or busier one does not look worse for that. “Beyond chance” marks what two profiles of an unchanged program would not differ by.',
    load: () => import('./view/compare-view.tsx'),
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
