//! Many rows in one statement: a statement a row costs more than its work.

/// Rows or keys in one statement. SQLite takes 32,766 parameters, and both engines keep the
/// statement prepared, for the same number of rows.
pub(super) const CHUNK: usize = 256;

/// Writes many rows: `head`, `VALUES` with a tuple of parameters a row, and `tail`.
macro_rules! insert_rows {
    ($tx:expr, $head:expr, $rows:expr, |$row:ident| ($($bind:expr),+ $(,)?), $tail:expr) => {
        for chunk in $rows.chunks($crate::ledger::bulk::CHUNK) {
            $crate::ledger::bulk::on_engine!($tx, DB, c => {
                let mut query = sqlx::QueryBuilder::<DB>::new($head);
                query.push_values(chunk, |mut columns, $row| { $(columns.push_bind($bind);)+ });
                query.push($tail);
                query.build().execute(&mut **c).await?;
            });
        }
    };
}

/// Runs a statement for many keys and gives its rows. The statement is `{text => parameter, …}`, then
/// `head`, the keys in brackets, and `tail`.
macro_rules! fetch_in {
    ($tx:expr, $row:ty, {$($text:expr => $bind:expr),* $(,)?} $head:expr, $keys:expr, $tail:expr) => {{
        let mut rows: Vec<$row> = Vec::new();
        for chunk in $keys.chunks($crate::ledger::bulk::CHUNK) {
            $crate::ledger::bulk::on_engine!($tx, DB, c => {
                let mut query = sqlx::QueryBuilder::<DB>::new("");
                $(query.push($text).push_bind($bind);)*
                query.push($head).push(" (");
                let mut keys = query.separated(", ");
                for key in chunk {
                    keys.push_bind(key);
                }
                query.push(") ").push($tail);
                rows.extend(query.build_query_as::<$row>().fetch_all(&mut **c).await?);
            });
        }
        rows
    }};
}

/// The same code for either engine, whose type it names.
macro_rules! on_engine {
    ($tx:expr, $db:ident, $c:ident => $body:block) => {
        match $tx {
            $crate::ledger::Tx::Sqlite($c) => {
                type $db = sqlx::Sqlite;
                $body
            }
            $crate::ledger::Tx::Postgres($c) => {
                type $db = sqlx::Postgres;
                $body
            }
        }
    };
}
pub(super) use {fetch_in, insert_rows, on_engine};
