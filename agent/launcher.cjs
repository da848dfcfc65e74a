#!/usr/bin/env node
// The `sidescope` command. Old syntax only: whatever Node the machine has must be able to read this file.
'use strict';

var childProcess = require('child_process');
var fs = require('fs');
var path = require('path');

var neededMajor = 24;
var main = path.join(__dirname, '..', 'dist', 'agent', 'main.mjs');

if (!fs.existsSync(main)) {
  fail('the agent is not built here (' + main + ' is missing): run `npm ci && npm run build`.');
} else {
  run(Number(process.versions.node.split('.')[0]) >= neededMajor ? process.execPath : bundledNode());
}

function run(node) {
  if (node === undefined) {
    fail(
      'needs Node ' +
        neededMajor +
        ' or newer and found ' +
        process.version +
        ': use a newer Node, or install ' +
        'without --omit=optional, which brings one on Linux (x64, arm64).',
    );
    return;
  }
  // Node started anew also on a new Node: only its command line can turn off SIGUSR1, which would otherwise open an
  // inspector on the agent itself.
  var args = ['--disable-sigusr1', main].concat(process.argv.slice(2));
  var environment = environmentOf(process.env);
  // In the place of this process where Node can do that (>= 22.15): nothing to forward, nothing left behind.
  if (process.execve !== undefined) process.execve(node, [node].concat(args), environment);
  startBeneath(node, args, environment);
}

function startBeneath(node, args, environment) {
  var child = childProcess.spawn(node, args, { stdio: 'inherit', env: environment });
  ['SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGTERM', 'SIGUSR2'].forEach(function (signal) {
    process.on(signal, function () {
      // A terminal signals the whole group: sent on as well, Ctrl-C would come twice, which means "at once".
      if (!(signal === 'SIGINT' || signal === 'SIGQUIT') || !process.stdin.isTTY) child.kill(signal);
    });
  });
  child.on('error', function (error) {
    fail('cannot start ' + node + ': ' + error.message);
  });
  child.on('exit', function (code, signal) {
    if (signal === null) {
      process.exitCode = code;
      return;
    }
    // The shell must see the same end: die of the same signal.
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** An inspector that NODE_OPTIONS opens in every Node program is not for the agent. */
function environmentOf(environment) {
  var copy = Object.assign({}, environment);
  if (copy.NODE_OPTIONS !== undefined) {
    copy.NODE_OPTIONS = copy.NODE_OPTIONS.replace(/(^|\s)--inspect(-brk|-wait|-port)?(=\S*)?(?=\s|$)/g, '$1').trim();
  }
  return copy;
}

function bundledNode() {
  if (process.platform !== 'linux') return undefined;
  try {
    return require.resolve('node-linux-' + process.arch + '/bin/node');
  } catch (error) {
    // Installed without optional dependencies, or a processor that has none: the caller says what to do.
    return undefined;
  }
}

function fail(message) {
  console.error('sidescope: ' + message);
  process.exitCode = 1;
}
