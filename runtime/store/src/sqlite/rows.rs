//! Many rows in one statement. Through the driver a statement costs a change of threads, whatever it writes: a turn of a
//! run is three or four rows, and a transaction takes up to some hundred turns, so rows of one kind go together.

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, SqliteConnection};

/// `$head VALUES $row, $row, … $tail` for each of [`SIZES`].
macro_rules! rows {
    ($head:literal, $row:literal, $tail:literal) => {
        [
            concat!($head, " VALUES ", $row, " ", $tail),
            concat!($head, " VALUES ", $crate::sqlite::rows::eight!($row), " ", $tail),
            concat!(
                $head,
                " VALUES ",
                $crate::sqlite::rows::eight!($row),
                ", ",
                $crate::sqlite::rows::eight!($row),
                ", ",
                $crate::sqlite::rows::eight!($row),
                ", ",
                $crate::sqlite::rows::eight!($row),
                " ",
                $tail
            ),
        ]
    };
}
macro_rules! eight {
    ($row:literal) => {
        concat!($row, ", ", $row, ", ", $row, ", ", $row, ", ", $row, ", ", $row, ", ", $row, ", ", $row)
    };
}
pub(crate) use {eight, rows};

/// How many rows the statements of [`rows!`] write.
const SIZES: [usize; 3] = [1, 8, 32];

/// A statement with values bound to it.
pub(crate) type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Writes all rows, in their order, with as few statements as there are for so many.
pub(crate) async fn write<T>(
    connection: &mut SqliteConnection,
    statements: &[&'static str; 3],
    mut all: &[T],
    bind: impl for<'q> Fn(Bound<'q>, &'q T) -> Bound<'q>,
) -> Result<(), sqlx::Error> {
    while !all.is_empty() {
        let fits = SIZES.iter().rposition(|size| *size <= all.len()).unwrap_or(0);
        let (now, rest) = all.split_at(SIZES[fits]);
        now.iter().fold(sqlx::query(statements[fits]), &bind).execute(&mut *connection).await?;
        all = rest;
    }
    Ok(())
}
