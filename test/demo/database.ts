import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';

// The demo's SQL database: PostgreSQL compiled to WebAssembly, in memory, behind a socket on a free port. It serves one
// connection at a time, so the shop's pool has one.
const database = await PGlite.create();
await database.exec(seed(2_000));
const server = new PGLiteSocketServer({ db: database, host: '127.0.0.1', port: 0 });
await server.start();

// PGlite's WebAssembly runtime would swallow the default action.
process.once('SIGTERM', () => process.exit(0));
process.send?.({ ready: { address: server.getServerConn() } });

function seed(productCount: number): string {
  return `
    create table products (
      id int primary key, name text not null, description text not null, price_cents int not null, tags text[] not null
    );
    insert into products
    select i,
           (array['Walnut', 'Linen', 'Copper', 'Cedar', 'Enamel', 'Wool', 'Marble'])[1 + i % 7] || ' ' ||
           (array['lamp', 'chair', 'kettle', 'blanket', 'shelf', 'bowl', 'mirror', 'stool', 'clock'])[1 + i % 9] || ' No. ' || i,
           (select string_agg(md5(i || '-' || word), ' ') from generate_series(1, 16) as word),
           500 + (i * 7919) % 90000,
           array['room-' || i % 5, 'season-' || i % 4, 'maker-' || i % 23]
    from generate_series(1, ${productCount}) as i;
  `;
}
