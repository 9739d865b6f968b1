//! Many rows in one statement, as each engine likes them: a statement a row costs more than its work.
//!
//! SQLite gets a tuple of parameters for each row; PostgreSQL an array for each column, whatever
//! the number of rows, so that the text of a statement is always the same.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

/// Rows in one statement of SQLite, at most. It takes 32,766 parameters.
pub(super) const ROWS: usize = 1024;
/// Rows in one where fewer are left. A statement is kept prepared for the same number of rows, and to
/// prepare one for hundreds takes long.
const FEWER: usize = 128;
/// Keys in one statement of SQLite, at most.
pub(super) const KEYS: usize = 2048;
/// Rows or keys in one statement of PostgreSQL: some hundred kilobytes.
pub(super) const ARRAYS: usize = 4096;

/// Cuts rows into those of one statement of SQLite each.
pub(super) fn statements<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let many = match rows.len() {
            0 => return None,
            ROWS.. => ROWS,
            FEWER.. => FEWER,
            few => few,
        };
        let (these, others) = rows.split_at(many);
        rows = others;
        Some(these)
    })
}

/// From so many keys on, rows are left to gather.
const MANY: usize = 128;
/// How long they are left to come.
const GATHERING: Duration = Duration::from_millis(1);

/// Waits for the rows that a statement of SQLite gives for so many keys. Its thread would wake the one
/// that waits for each of them, and the two take turns by the row: so many rows are looked for only now
/// and then, and most are there by then.
pub(super) async fn rows_of<T>(keys: usize, rows: impl Future<Output = T>) -> T {
    if keys < MANY {
        return rows.await;
    }
    let mut rows = pin!(rows);
    loop {
        if let Poll::Ready(rows) = rows.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return rows;
        }
        tokio::time::sleep(GATHERING).await;
    }
}

/// `UNNEST` of so many parameters.
pub(super) fn unnest(columns: usize) -> String {
    let all: Vec<String> = (1..=columns).map(|n| format!("${n}")).collect();
    format!("SELECT * FROM UNNEST({})", all.join(", "))
}

/// Writes many rows: `head`, the rows, and `tail`.
macro_rules! insert_rows {
    ($tx:expr, $head:expr, $rows:expr, |$row:ident| $binds:tt, $tail:expr) => {
        match $tx {
            $crate::ledger::Tx::Sqlite(c) => {
                $crate::ledger::bulk::insert_tuples!(c, $head, $rows, |$row| $binds, $tail);
            }
            $crate::ledger::Tx::Postgres(c) => {
                $crate::ledger::bulk::insert_arrays!(c, $head, $rows, |$row| $binds, $tail);
            }
        }
    };
}

/// `VALUES` of so many tuples of so many parameters.
pub(super) fn values(columns: usize, rows: usize) -> String {
    let tuple = format!("({})", vec!["?"; columns].join(", "));
    format!("VALUES {}", vec![tuple; rows].join(", "))
}

/// [`insert_rows`] for SQLite.
macro_rules! insert_tuples {
    ($c:expr, $head:expr, $rows:expr, |$row:ident| ($($bind:expr),+ $(,)?), $tail:expr) => {
        use sqlx::Arguments as _;
        let columns = [$(stringify!($bind)),+].len();
        let statement = |rows| {
            let values = $crate::ledger::bulk::values(columns, rows);
            std::sync::Arc::<str>::from([$head, &values, $tail].concat())
        };
        let mut last = (0, std::sync::Arc::from(""));
        let mut chunks = $crate::ledger::bulk::statements(&$rows).map(|chunk| {
            if last.0 != chunk.len() {
                last = (chunk.len(), statement(chunk.len()));
            }
            let sql = std::sync::Arc::clone(&last.1);
            let mut arguments = sqlx::sqlite::SqliteArguments::default();
            arguments.reserve(chunk.len() * columns, 0);
            for $row in chunk {
                $(arguments.add($bind)?;)+
            }
            Ok::<_, sqlx::error::BoxDynError>((sql, arguments))
        });
        let mut next = chunks.next();
        while let Some(ready) = next {
            let (sql, arguments) = ready.map_err(sqlx::Error::Encode)?;
            let query = sqlx::query_with(sqlx::AssertSqlSafe(sql), arguments);
            // While SQLite works on one statement, the next is put together.
            let (done, following) =
                futures::join!(query.execute(&mut **$c), async { chunks.next() });
            done?;
            next = following;
        }
    };
}

/// [`insert_rows`] for PostgreSQL.
macro_rules! insert_arrays {
    ($c:expr, $head:expr, $rows:expr, |$row:ident| ($($bind:expr),+ $(,)?), $tail:expr) => {
        let columns = [$(stringify!($bind)),+].len();
        let sql = [$head, &$crate::ledger::bulk::unnest(columns), $tail].concat();
        for chunk in $rows.chunks($crate::ledger::bulk::ARRAYS) {
            sqlx::query(sqlx::AssertSqlSafe(sql.as_str()))
                // A column may be the same in every row.
                $(.bind(chunk.iter().map(|$row| { let _ = $row; $bind }).collect::<Vec<_>>()))+
                .execute(&mut **$c)
                .await?;
        }
    };
}

/// Runs a statement for many keys and gives its rows. The statement is `{text => parameter, …}`, then
/// `head`, the keys in brackets, and `tail`.
macro_rules! fetch_in {
    ($tx:expr, $row:ty, {$($text:expr => $bind:expr),* $(,)?} $head:expr, $keys:expr, $tail:expr) => {{
        let mut rows: Vec<$row> = Vec::new();
        match $tx {
            $crate::ledger::Tx::Sqlite(c) => {
                for chunk in $keys.chunks($crate::ledger::bulk::KEYS) {
                    let mut query = sqlx::QueryBuilder::<sqlx::Sqlite>::new("");
                    $(query.push($text).push_bind($bind);)*
                    query.push($head).push(" (");
                    let mut keys = query.separated(", ");
                    for key in chunk {
                        keys.push_bind(key);
                    }
                    query.push(") ").push($tail);
                    let found = query.build_query_as::<$row>().fetch_all(&mut **c);
                    rows.extend($crate::ledger::bulk::rows_of(chunk.len(), found).await?);
                }
            }
            $crate::ledger::Tx::Postgres(c) => {
                for chunk in $keys.chunks($crate::ledger::bulk::ARRAYS) {
                    let mut query = sqlx::QueryBuilder::<sqlx::Postgres>::new("");
                    $(query.push($text).push_bind($bind);)*
                    query.push($head).push(" (SELECT UNNEST(").push_bind(chunk).push(")) ").push($tail);
                    rows.extend(query.build_query_as::<$row>().fetch_all(&mut **c).await?);
                }
            }
        }
        rows
    }};
}

/// Finds rows by a unique key of two columns: the first has one value, the second one of many.
///
/// PostgreSQL looks for each by itself, and so can't but use the index. With `IN`, and no statistics
/// of a new table, it goes through all rows of the first value instead, each time.
macro_rules! fetch_unique {
    ($tx:expr, $row:ty, $columns:literal, $from:literal, $first:literal => $bind:expr, $second:literal, $keys:expr) => {{
        let mut rows: Vec<$row> = Vec::new();
        match $tx {
            $crate::ledger::Tx::Sqlite(_) => rows = $crate::ledger::bulk::fetch_in!(
                $tx,
                $row,
                {concat!("SELECT ", $columns, " FROM ", $from, " WHERE ", $first, " = ") => $bind}
                concat!(" AND ", $second, " IN"),
                $keys,
                ""
            ),
            $crate::ledger::Tx::Postgres(c) => {
                let sql = concat!(
                    "SELECT found.* FROM UNNEST($2) AS one (key) CROSS JOIN LATERAL (SELECT ",
                    $columns, " FROM ", $from, " WHERE ", $first, " = $1 AND ", $second,
                    " = one.key LIMIT 1) AS found"
                );
                for chunk in $keys.chunks($crate::ledger::bulk::ARRAYS) {
                    let query = sqlx::query_as::<_, $row>(sql).bind($bind).bind(chunk);
                    rows.extend(query.fetch_all(&mut **c).await?);
                }
            }
        }
        rows
    }};
}

/// Finds rows by a unique key of two integers; `$lock` is what PostgreSQL locks them by.
macro_rules! fetch_pairs {
    ($tx:expr, $row:ty, $columns:literal, $from:literal, ($first:literal, $second:literal), $keys:expr, $lock:literal) => {{
        let mut rows: Vec<$row> = Vec::new();
        match $tx {
            $crate::ledger::Tx::Sqlite(c) => {
                for chunk in $keys.chunks($crate::ledger::bulk::KEYS) {
                    let mut query = sqlx::QueryBuilder::<sqlx::Sqlite>::new("WITH one (a, b) AS (");
                    query.push_values(chunk, |mut tuple, key| {
                        tuple.push_bind(key.0).push_bind(key.1);
                    });
                    // The keys come first, and each row by its key.
                    query.push(concat!(
                        ") SELECT ",
                        $columns,
                        " FROM one CROSS JOIN ",
                        $from,
                        " ON ",
                        $first,
                        " = one.a AND ",
                        $second,
                        " = one.b"
                    ));
                    let found = query.build_query_as::<$row>().fetch_all(&mut **c);
                    rows.extend($crate::ledger::bulk::rows_of(chunk.len(), found).await?);
                }
            }
            $crate::ledger::Tx::Postgres(c) => {
                let sql = concat!(
                    "SELECT found.* FROM UNNEST($1, $2) AS one (a, b) CROSS JOIN LATERAL (SELECT ",
                    $columns,
                    " FROM ",
                    $from,
                    " WHERE ",
                    $first,
                    " = one.a AND ",
                    $second,
                    " = one.b LIMIT 1 ",
                    $lock,
                    ") AS found"
                );
                for chunk in $keys.chunks($crate::ledger::bulk::ARRAYS) {
                    let (first, second): (Vec<i64>, Vec<i64>) = chunk.iter().copied().unzip();
                    let query = sqlx::query_as::<_, $row>(sql).bind(first).bind(second);
                    rows.extend(query.fetch_all(&mut **c).await?);
                }
            }
        }
        rows
    }};
}
pub(super) use {fetch_in, fetch_pairs, fetch_unique, insert_arrays, insert_rows, insert_tuples};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_into_few_lengths() {
        let lengths = |count| statements(&vec![(); count]).map(<[()]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(0), [0; 0]);
        assert_eq!(lengths(100), [100]);
        assert_eq!(lengths(2 * ROWS + 2 * FEWER + 1), [ROWS, ROWS, FEWER, FEWER, 1]);
        let numbers: Vec<_> = (0..5000).collect();
        assert_eq!(statements(&numbers).collect::<Vec<_>>().concat(), numbers);
    }
}
