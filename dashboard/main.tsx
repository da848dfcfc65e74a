import { render } from 'preact';
import { TokenKeeper } from './token.ts';
import { applyTheme, readTheme } from './theme.ts';
import { App } from './view/app.tsx';
import './style/base.css';
import './style/page.css';

applyTheme(readTheme());
const root = document.getElementById('page');
if (root === null) throw new Error('index.html has no #page');
render(<App tokens={new TokenKeeper()} />, root);
