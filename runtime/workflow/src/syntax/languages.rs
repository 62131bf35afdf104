//! Reads the languages of a workflow's texts.

use super::MAX_LANGUAGES;
use crate::source::{Diagnostic, Item, Reader, Spanned, code};
use crate::template::is_language;

/// At least one, each once.
pub(super) fn languages(reader: &Reader, item: &Item<'_, '_>) -> Vec<Spanned<String>> {
    let language = |text: &str| is_language(text).then(|| text.to_owned());
    let items = item.items();
    if let (true, Some(span)) = (item.is_given() && !(1..=MAX_LANGUAGES).contains(&items.len()), item.span()) {
        let message = format!("a workflow has 1 to {MAX_LANGUAGES} languages; here are {}", items.len());
        reader.report(Diagnostic::new(code::BEYOND_LIMITS, message).at(&span));
    }
    let mut languages: Vec<Spanned<String>> = Vec::new();
    for item in items {
        let Some(language) = item.parsed("two letters such as `es`", language) else { continue };
        if languages.iter().any(|earlier| earlier.value == language.value) {
            let message = format!("the language `{}` is there twice", language.value);
            reader.report(Diagnostic::new(code::DUPLICATE, message).at(&language.span).help("take one of them out"));
        }
        languages.push(language);
    }
    languages
}
