//! Many rows in one statement. Through the driver a statement costs a change of threads, whatever it writes: a turn of a
//! run is three or four rows, and a transaction takes up to some hundred turns, so rows of one kind go together.

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, SqliteConnection};

/// How many rows the statements of [`each_size!`] write: whatever their number, it is a sum of few of these.
pub(crate) const SIZES: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// A statement for each of [`SIZES`].
pub(crate) type Rows = [&'static str; SIZES.len()];

/// `$head VALUES $row, $row, … $tail` for each of [`SIZES`].
macro_rules! rows {
    ($head:expr, $row:expr, $tail:expr) => {{
        use $crate::sqlite::rows::values;
        $crate::sqlite::rows::each_size!(values, $head, $row, $tail)
    }};
}
macro_rules! values {
    ($n:tt, $head:expr, $row:expr, $tail:expr) => {
        concat!($head, " VALUES ", $crate::sqlite::rows::times!($n, $row), " ", $tail)
    };
}
/// What the macro `$of` makes of each of [`SIZES`].
macro_rules! each_size {
    ($of:ident, $($more:expr),*) => {
        [
            $of!(1, $($more),*),
            $of!(2, $($more),*),
            $of!(4, $($more),*),
            $of!(8, $($more),*),
            $of!(16, $($more),*),
            $of!(32, $($more),*),
        ]
    };
}
/// `$row, $row, …`, as many times as one of [`SIZES`] says.
macro_rules! times {
    (1, $row:expr) => {
        $row
    };
    (2, $row:expr) => {
        concat!($row, ", ", $row)
    };
    (4, $row:expr) => {
        $crate::sqlite::rows::times!(2, $crate::sqlite::rows::times!(2, $row))
    };
    (8, $row:expr) => {
        $crate::sqlite::rows::times!(2, $crate::sqlite::rows::times!(4, $row))
    };
    (16, $row:expr) => {
        $crate::sqlite::rows::times!(2, $crate::sqlite::rows::times!(8, $row))
    };
    (32, $row:expr) => {
        $crate::sqlite::rows::times!(2, $crate::sqlite::rows::times!(16, $row))
    };
}
pub(crate) use {each_size, rows, times, values};

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
