//! What the terminal shows: the same timeline as the console, in lines.

use std::io::IsTerminal;

use selvedge_record::{Event, Verified};
use selvedge_server::timeline::{Line, Tone, in_words};

/// How wide the column of actors is.
const WHO: usize = 16;

/// Prints a line to stdout. When nobody reads it any more (`selvedge … | head`), the command is over.
pub fn line(text: std::fmt::Arguments<'_>) {
    use std::io::Write;
    if writeln!(std::io::stdout(), "{text}").is_err() {
        std::process::exit(i32::from(crate::exit::FAILED));
    }
}

/// `println!` for a reader who may leave.
macro_rules! say {
    ($($text:tt)*) => { $crate::print::line(format_args!($($text)*)) };
}

/// One event of a timeline, in one line.
pub fn event(event: &Event) {
    headline(&in_words(event));
}

/// One event with everything there is to say about it: rules with citations, accesses, commitments.
pub fn event_whole(event: &Event) {
    let line = in_words(event);
    headline(&line);
    for detail in line.detail {
        say!("{:19}  {:WHO$}    {detail}", "", "");
    }
}

fn headline(line: &Line) {
    let long = line.who.chars().count() > WHO;
    let who: String = if long { line.who.chars().take(WHO - 1).chain(['…']).collect() } else { line.who.clone() };
    say!("{}  {who:<WHO$}  {}", short_time(&line.time), paint(&line.what, &line.tone));
}

/// `2026-11-23 16:04:00` of an RFC 3339 time; all times are UTC.
fn short_time(time: &str) -> String {
    time.get(..19).unwrap_or(time).replace('T', " ")
}

fn paint(text: &str, tone: &Tone) -> String {
    if !std::io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some() {
        return text.to_owned();
    }
    let code = match tone {
        Tone::Good => "32",
        Tone::Bad => "31",
        Tone::Warning => "33",
        Tone::Plain => return text.to_owned(),
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// What verified, against which key.
pub fn verified(verified: &Verified) {
    say!("VERIFIED  {} ({} events) of tenant {}", verified.interaction, verified.events.len(), verified.tenant);
    let closed = verified.events.iter().any(|event| event.kind == "interaction.closed");
    say!("  the interaction {}", if closed { "is over" } else { "was still open when this was exported" });
    say!(
        "  each event follows from the one before, and stands in the log of {} events with root",
        verified.checkpoint.size
    );
    say!("  {}", verified.checkpoint.root);
    say!("  which {} signed", verified.key);
    if verified.key_was_given {
        say!("  the key is the one you gave");
    } else {
        say!("  the key came with the file: compare it with the one the operator published, or give that with --key");
    }
}
