//! In which language a customer is spoken with: theirs, where the workflow has texts in it, and otherwise the first of the
//! workflow's. It is chosen once, stands in the record, and holds for the interaction, so that a message that is tried
//! again says the same.

use selvedge_workflow::plan::Plan;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::fact::Fact;
use crate::run::Run;
use crate::signal::Who;
use crate::turn::Turn;

impl Engine {
    /// Chooses it, where the workflow has languages and nobody did before.
    pub(crate) async fn choose_language(&self, plan: &Plan, turn: &mut Turn) -> Result<(), EngineError> {
        if plan.languages.is_empty() || turn.run.language.is_some() || turn.run.ended.is_some() {
            return Ok(());
        }
        let (customer, _) = self.inner.values.customer(&turn.run.id.tenant, &turn.run.customer).await?;
        let Some(fact) = chosen(&plan.languages, customer.language) else { return Ok(()) };
        turn.add(&Who::host(), self.now(), fact)
    }
}

/// Theirs, or the first.
fn chosen(languages: &[String], wanted: Option<String>) -> Option<Fact> {
    match wanted {
        Some(language) if languages.contains(&language) => Some(Fact::LanguageChosen { language, wanted: None }),
        wanted => Some(Fact::LanguageChosen { language: languages.first()?.clone(), wanted }),
    }
}

/// Whether the run speaks English, or nobody said that it speaks anything else.
pub(crate) fn in_english(run: &Run) -> bool {
    run.language.as_deref().is_none_or(|language| language == "en")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_speaks_another_language_is_spoken_with_in_the_first_and_the_record_says_which_was_wanted() {
        let languages = ["en".to_owned(), "es".to_owned()];
        let chosen = |wanted: Option<&str>| chosen(&languages, wanted.map(str::to_owned)).unwrap();
        let told = |language: &str, wanted: Option<&str>| Fact::LanguageChosen {
            language: language.into(),
            wanted: wanted.map(str::to_owned),
        };
        assert_eq!(chosen(Some("es")), told("es", None));
        assert_eq!(chosen(None), told("en", None));
        assert_eq!(chosen(Some("fr")), told("en", Some("fr")));
    }
}
