//! A customer is spoken with in their language, or in the workflow's first; which one it was stands in the record and holds
//! for the interaction.

use selvedge_engine::Fact;
use selvedge_engine::ports::store::RunId;
use selvedge_engine::run::At;
use selvedge_engine::{Definition, Engine, Packs};
use selvedge_policy::CustomerState;
use selvedge_workflow::dictionary::Dictionary;

use crate::house::{DAY, House, TENANT, WORKFLOW, connectors, facts, maria};

const TEXTS: &str = "  - communicate: { id: first, over: texts, to: patient.mobile, template: note }
  - wait: { id: rest, for: 1d }
  - communicate: { id: second, over: texts, to: patient.mobile, template: note }
";

/// A house whose workflow has texts in English and Spanish.
fn house() -> House {
    let mut house = House::new(TEXTS);
    let workflow = house.files.get_mut(&format!("{WORKFLOW}/workflow.yaml")).unwrap();
    *workflow = workflow.replace("starts: call\n", "starts: call\nlanguages: [en, es]\n");
    house.files.insert(format!("{WORKFLOW}/templates/note.sms.es.txt"), "Una nota de {{ sender.name }}.".into());
    house
}

/// The customer says which language they want.
async fn wants(house: &House, engine: &Engine, language: &str) {
    let dictionary = Dictionary::read("fields.yaml", &house.files["fields.yaml"]).unwrap();
    let state = CustomerState { language: Some(language.into()), ..CustomerState::default() };
    engine.put_customer(&dictionary, TENANT, "c_1", &state, &[]).await.unwrap();
}

async fn chosen(engine: &Engine, id: &RunId) -> Option<(String, Option<String>)> {
    facts(engine, id).await.into_iter().find_map(|fact| match fact {
        Fact::LanguageChosen { language, wanted } => Some((language, wanted)),
        _ => None,
    })
}

fn texts(house: &House) -> Vec<String> {
    house.vendor.taken.lock().unwrap().iter().map(|(_, text)| text.chars().take(6).collect()).collect()
}

#[test]
fn the_language_holds_for_the_interaction_and_the_next_one_asks_again() {
    let house = house();
    let first = house.life(async |engine| {
        let id = house.open(engine, &[]).await;
        engine.settle(&id).await.unwrap();
        assert_eq!(chosen(engine, &id).await, Some(("en".into(), None)));
        wants(&house, engine, "es").await;
        id
    });
    house.clock.advance(DAY);
    house.life(async |engine| {
        assert_eq!(engine.settle(&first).await.unwrap().at(), At::End("completed".into()));
        let next = engine.open(TENANT, WORKFLOW, "c_1", "call", &maria()).await.unwrap();
        engine.settle(&next).await.unwrap();
        assert_eq!(chosen(engine, &next).await, Some(("es".into(), None)));
    });
    assert_eq!(texts(&house), ["A note", "A note", "Una no"]);
}

#[test]
fn a_language_without_texts_is_written_down_and_answered_in_the_first() {
    let house = house();
    house.life(async |engine| {
        let first = house.open(engine, &[]).await;
        engine.settle(&first).await.unwrap();
        wants(&house, engine, "fr").await;
        let next = engine.open(TENANT, WORKFLOW, "c_1", "call", &maria()).await.unwrap();
        engine.settle(&next).await.unwrap();
        assert_eq!(chosen(engine, &next).await, Some(("en".into(), Some("fr".into()))));
    });
    assert_eq!(texts(&house), ["A note", "A note"]);
}

#[test]
fn a_value_that_is_longer_than_its_field_says_is_not_taken_in() {
    let house = house();
    house.life(async |engine| {
        let definition = Definition::compile(&house.files, WORKFLOW, &connectors(), &Packs::default()).unwrap();
        let long = [("patient.name".to_owned(), secrecy::SecretString::from("x".repeat(61)))];
        let state = CustomerState::default();
        let found = engine.put_customer(&definition.dictionary, TENANT, "c_2", &state, &long).await.unwrap_err();
        assert_eq!(found.to_string(), "`patient.name` holds something that is not a text of at most 60 characters");
    });
}
