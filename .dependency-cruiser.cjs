/** Arrows go down only: dashboard -> protocol, agent -> protocol, agent/http -> agent/* -> protocol. */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'protocol-is-pure',
      severity: 'error',
      from: { path: '^protocol' },
      to: { path: '^(agent|dashboard|test|deploy)/' },
    },
    { name: 'protocol-has-no-node', severity: 'error', from: { path: '^protocol' }, to: { dependencyTypes: ['core'] } },
    {
      name: 'agent-is-below-the-page',
      severity: 'error',
      from: { path: '^agent' },
      to: { path: '^(dashboard|test|deploy)/' },
    },
    {
      name: 'dashboard-speaks-http',
      severity: 'error',
      from: { path: '^dashboard' },
      to: { path: '^(agent|test|deploy)/' },
    },
    {
      name: 'dashboard-runs-in-a-browser',
      severity: 'error',
      from: { path: '^dashboard' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'http-is-the-top',
      severity: 'error',
      from: { path: '^agent/(?!http/|main\\.ts|cli/|agent\\.ts|part-options\\.ts)' },
      to: { path: '^agent/http/' },
    },
    {
      name: 'store-knows-no-target',
      severity: 'error',
      from: { path: '^agent/store/' },
      to: { path: '^agent/(attach|capture)/' },
    },
    {
      name: 'attach-knows-no-capture',
      severity: 'error',
      from: { path: '^agent/attach/' },
      to: { path: '^agent/(capture|store)/' },
    },
    { name: 'nothing-imports-tests', severity: 'error', from: { pathNot: '^test/' }, to: { path: '^test/' } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    exclude: { path: '(^|/)(dist|\\.cache)/' },
  },
};
