import { createRequire } from 'node:module';
import type Express from 'express';
import type Pg from 'pg';

// OpenTelemetry patches what goes through `require`; an `import` of a CommonJS package would pass it by without a loader hook.
const require = createRequire(import.meta.url);

export const express = require('express') as typeof Express;
export const pg = require('pg') as typeof Pg;
