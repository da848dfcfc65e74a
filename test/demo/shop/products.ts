import type { Pool } from 'pg';

export interface Product {
  readonly id: number;
  readonly name: string;
  readonly description: string;
  readonly priceCents: number;
  readonly tags: readonly string[];
}

const columns = 'id, name, description, price_cents as "priceCents", tags';

/** One page, by key: fast. */
export async function listProducts(pool: Pool, afterId: number): Promise<Product[]> {
  const { rows } = await pool.query<Product>(`select ${columns} from products where id > $1 order by id limit 20`, [
    afterId,
  ]);
  return rows;
}

export async function loadCatalog(pool: Pool): Promise<Product[]> {
  const { rows } = await pool.query<Product>(`select ${columns} from products order by id`);
  return rows;
}

/** Slow in the database: a join of every match with the whole table that no index helps. */
export async function searchProducts(
  pool: Pool,
  text: string,
): Promise<{ id: number; name: string; related: number }[]> {
  const { rows } = await pool.query<{ id: number; name: string; related: number }>(
    `select p.id, p.name, count(*)::int as related
     from products p join products q on q.tags && p.tags and length(regexp_replace(q.name, '[aeiou]', '', 'g')) > 3
     where p.name ilike '%' || $1 || '%'
     group by p.id order by related desc, p.id limit 20`,
    [text],
  );
  return rows;
}
