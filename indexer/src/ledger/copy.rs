//! Rows as PostgreSQL takes them fastest: `COPY … FROM STDIN (FORMAT binary)` (PostgreSQL
//! documentation, COPY, "Binary Format").
//!
//! It has no `ON CONFLICT`: for rows that are known to be new.

/// What the data begins with: signature, no flags, no extension.
const HEADER: [u8; 19] = *b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

/// Data of a `COPY`, put together.
#[derive(Debug)]
pub(super) struct CopyData(Vec<u8>);

impl CopyData {
    /// Data with no row.
    pub(super) fn begin() -> Self {
        Self(HEADER.to_vec())
    }

    /// Begins a row of so many columns, each of which is put after it.
    pub(super) fn row(&mut self, columns: usize) {
        let columns = i16::try_from(columns).unwrap_or(i16::MAX);
        self.0.extend_from_slice(&columns.to_be_bytes());
    }

    pub(super) fn put(&mut self, column: &impl Column) {
        column.put(&mut self.0);
    }

    /// What was put together since the last time.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    /// The rest.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&TRAILER);
        self.0
    }
}

/// A value in a column: its length in bytes as an `i32`, then those. -1 for `NULL`.
pub(super) trait Column {
    fn put(&self, data: &mut Vec<u8>);
}

/// `BIGINT`.
impl Column for i64 {
    fn put(&self, data: &mut Vec<u8>) {
        self.to_be_bytes().as_slice().put(data);
    }
}

/// `BYTEA`. Longer ones than a column takes can't be written, and are none of ours.
impl Column for &[u8] {
    fn put(&self, data: &mut Vec<u8>) {
        let length = i32::try_from(self.len()).unwrap_or(i32::MAX);
        data.extend_from_slice(&length.to_be_bytes());
        data.extend_from_slice(self);
    }
}

impl Column for Vec<u8> {
    fn put(&self, data: &mut Vec<u8>) {
        self.as_slice().put(data);
    }
}

impl<C: Column> Column for Option<C> {
    fn put(&self, data: &mut Vec<u8>) {
        match self {
            Some(column) => column.put(data),
            None => data.extend_from_slice(&(-1_i32).to_be_bytes()),
        }
    }
}

/// Writes rows that are known to be new; `statement` is the `COPY`.
macro_rules! copy_rows {
    ($c:expr, $statement:expr, $rows:expr, |$row:ident| ($($bind:expr),+ $(,)?)) => {
        if !$rows.is_empty() {
            let columns = [$(stringify!($bind)),+].len();
            let mut copy = $c.copy_in_raw($statement).await?;
            let mut data = $crate::ledger::copy::CopyData::begin();
            for chunk in $rows.chunks($crate::ledger::bulk::ARRAYS) {
                for $row in chunk {
                    data.row(columns);
                    $(data.put(&$bind);)+
                }
                copy.send(data.take()).await?;
            }
            copy.send(data.end()).await?;
            copy.finish().await?;
        }
    };
}
pub(super) use copy_rows;
