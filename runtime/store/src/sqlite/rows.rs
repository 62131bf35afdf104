//! Many rows in one statement. Through the driver a statement costs a change of threads, whatever it writes: a turn of a
//! run is three or four rows, and a transaction takes up to some hundred turns, so rows of one kind go together.

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, SqliteConnection};

/// How many rows the statements of [`rows!`] write: whatever their number, it is a sum of few of these.
const SIZES: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// The statements of [`rows!`].
pub(crate) type Rows = [&'static str; SIZES.len()];

/// `$head VALUES $row, $row, … $tail` for each of [`SIZES`].
macro_rules! rows {
    ($head:expr, $row:expr, $tail:expr) => {{
        use $crate::sqlite::rows::twice;
        [
            concat!($head, " VALUES ", $row, " ", $tail),
            concat!($head, " VALUES ", twice!($row), " ", $tail),
            concat!($head, " VALUES ", twice!(twice!($row)), " ", $tail),
            concat!($head, " VALUES ", twice!(twice!(twice!($row))), " ", $tail),
            concat!($head, " VALUES ", twice!(twice!(twice!(twice!($row)))), " ", $tail),
            concat!($head, " VALUES ", twice!(twice!(twice!(twice!(twice!($row))))), " ", $tail),
        ]
    }};
}
macro_rules! twice {
    ($row:expr) => {
        concat!($row, ", ", $row)
    };
}
pub(crate) use {rows, twice};

/// A statement with values bound to it.
pub(crate) type Bound<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Writes all rows, in their order, with as few statements as there are for so many.
pub(crate) async fn write<T>(
    connection: &mut SqliteConnection,
    statements: &Rows,
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
