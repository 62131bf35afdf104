//! Pages: the templates, embedded, with their stylesheet. Every page is a value that names its template, so a
//! test renders each of them with sample data.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{Html, IntoResponse};
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, context};
use serde::Serialize;

use crate::error::ServerError;

const BASE: &str = "base.html";
const TEMPLATES: [(&str, &str); 17] = [
    (BASE, include_str!("templates/base.html")),
    ("console_campaigns.html", include_str!("templates/console_campaigns.html")),
    ("console_interaction.html", include_str!("templates/console_interaction.html")),
    ("console_list.html", include_str!("templates/console_list.html")),
    ("console_login.html", include_str!("templates/console_login.html")),
    ("console_problem.html", include_str!("templates/console_problem.html")),
    ("console_schedules.html", include_str!("templates/console_schedules.html")),
    ("console_switches.html", include_str!("templates/console_switches.html")),
    ("pay_again.html", include_str!("templates/pay_again.html")),
    ("pay_card.html", include_str!("templates/pay_card.html")),
    ("pay_code.html", include_str!("templates/pay_code.html")),
    ("pay_kept.html", include_str!("templates/pay_kept.html")),
    ("pay_message.html", include_str!("templates/pay_message.html")),
    ("pay_paid.html", include_str!("templates/pay_paid.html")),
    ("pay_start.html", include_str!("templates/pay_start.html")),
    ("pay_unclear.html", include_str!("templates/pay_unclear.html")),
    ("pay_working.html", include_str!("templates/pay_working.html")),
];
const STYLE: &str = include_str!("templates/style.css");

/// What stands around every page.
#[derive(Clone, Debug, Serialize)]
pub struct Frame {
    /// The organisation's name.
    pub sender: String,
    /// Whether the vendors are doubles; a band says so.
    pub test_mode: bool,
}

/// The content of a page.
pub trait Page: Serialize {
    /// The template that shows it.
    const TEMPLATE: &'static str;
}

static PAGES: LazyLock<Result<Environment<'static>, minijinja::Error>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    // A name that a page does not have is a mistake of ours, not an empty place. Names end in `.html`, which
    // turns on escaping.
    pages.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, text) in TEMPLATES {
        pages.add_template(name, text)?;
    }
    Ok(pages)
});

/// Renders a page.
///
/// Errors: N815, which the test over all templates rules out.
pub fn render<P: Page>(frame: &Frame, page: &P) -> Result<Html<String>, ServerError> {
    let broken = |error: &minijinja::Error| ServerError::Page { what: format!("{}: {:?}", P::TEMPLATE, error.kind()) };
    let pages = PAGES.as_ref().map_err(broken)?;
    let template = pages.get_template(P::TEMPLATE).map_err(|error| broken(&error))?;
    let (frame, page) = (Serde(frame), Serde(page));
    template.render(context! { frame, page }).map(Html).map_err(|error| broken(&error))
}

/// The one stylesheet.
pub async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=3600")], STYLE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{console, pay};

    /// Every template, with sample data that sets every branch.
    fn rendered() -> Vec<(&'static str, String)> {
        fn all<P: Page>(samples: Vec<P>) -> Vec<(&'static str, String)> {
            let frame = Frame { sender: "Lake <b>Clinic</b>".into(), test_mode: true };
            samples.iter().map(|page| (P::TEMPLATE, render(&frame, page).unwrap().0)).collect()
        }
        [
            all(console::samples::logins()),
            all(console::samples::lists()),
            all(console::campaigns::samples::lists()),
            all(console::schedules::samples::lists()),
            all(console::samples::interactions()),
            all(console::samples::problems()),
            all(console::switches::samples::switches()),
            all(pay::samples::starts()),
            all(pay::samples::codes()),
            all(pay::samples::cards()),
            all(pay::samples::agains()),
            all(pay::samples::workings()),
            all(pay::samples::unclears()),
            all(pay::samples::paids()),
            all(pay::samples::kepts()),
            all(pay::samples::messages()),
        ]
        .concat()
    }

    #[test]
    fn every_template_renders() {
        let mut seen: Vec<&str> = rendered().into_iter().map(|(name, _)| name).collect();
        seen.dedup();
        seen.sort_unstable();
        let all: Vec<&str> = TEMPLATES.iter().map(|(name, _)| *name).filter(|name| *name != BASE).collect();
        assert_eq!(seen, all);
    }

    #[test]
    fn every_page_keeps_what_all_pages_promise() {
        for (name, html) in rendered() {
            assert!(html.contains("Lake &lt;b&gt;Clinic&lt;"), "{name} escapes and names the sender");
            assert!(html.contains("Demonstration"), "{name} has the band");
            assert!(html.contains("<html lang=\"en\">") && html.contains("<main"), "{name}");
            for banned in ["<script", "javascript:", "style=", " onclick", "http://", "https://", "<img"] {
                assert!(!html.contains(banned), "{name} has no {banned}");
            }
        }
    }

    #[test]
    fn every_field_has_a_label() {
        for (name, html) in rendered() {
            for input in html.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap()) {
                if input.contains("type=\"hidden\"") {
                    continue;
                }
                let id = input.split("id=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
                assert!(html.contains(&format!("for=\"{id}\"")), "{name}: {id}");
            }
        }
    }

    #[test]
    fn the_page_that_takes_the_card_reads_so() {
        let frame = Frame { sender: "Lakeside Clinic".into(), test_mode: false };
        insta::assert_snapshot!(render(&frame, &pay::samples::cards()[0]).unwrap().0);
    }

    #[test]
    fn the_story_of_an_interaction_reads_so() {
        let frame = Frame { sender: "Lakeside Clinic".into(), test_mode: true };
        insta::assert_snapshot!(render(&frame, &console::samples::interactions()[0]).unwrap().0);
    }
}
