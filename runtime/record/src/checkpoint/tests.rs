use proptest::prelude::*;

use super::*;

fn key() -> LogKey {
    LogKey::from_seed("selvedge.demo/log", &[7; 32]).unwrap()
}

fn note() -> String {
    key().sign(&key().checkpoint(42, Hash::leaf("x")))
}

#[test]
fn a_checkpoint_is_a_signed_note_and_opens_with_the_public_key() {
    insta::assert_snapshot!(note());
    assert_eq!(key().verifier().open(&note()).unwrap(), key().checkpoint(42, Hash::leaf("x")));
}

#[test]
fn the_public_key_reads_back_as_it_was_written() {
    let text = key().verifier().to_string();
    insta::assert_snapshot!(text);
    assert_eq!(text.parse::<LogVerifier>().unwrap(), key().verifier());
}

#[test]
fn a_published_key_of_another_log_is_understood() {
    // The public key of Go's checksum database: its digits fit its name and bytes by our computation too.
    let published = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    let verifier: LogVerifier = published.parse().unwrap();
    assert_eq!((verifier.name(), verifier.to_string().as_str()), ("sum.golang.org", published));
}

#[test]
fn a_witness_may_sign_too() {
    let witness = LogKey::from_seed("witness.example", &[8; 32]).unwrap();
    let cosigned = witness.sign(&key().checkpoint(42, Hash::leaf("x")));
    let line = cosigned.rsplit_once("\n\n").unwrap().1;
    let both = format!("{}{line}", note());
    let first = note().replacen("— ", &format!("{line}— "), 1);
    for noted in [both, first] {
        assert!(key().verifier().open(&noted).is_ok());
        // The witness vouches for what it saw, but the log is not its own.
        assert!(matches!(witness.verifier().open(&noted), Err(RecordError::Checkpoint { .. })));
    }
}

#[test]
fn another_key_of_the_same_name_is_not_the_signer() {
    let other = LogKey::from_seed("selvedge.demo/log", &[8; 32]).unwrap();
    let refused = other.verifier().open(&note());
    assert_eq!(refused, Err(RecordError::Signature { name: "selvedge.demo/log".into() }));
}

#[test]
fn notes_are_read_strictly() {
    let good = note();
    let signature = good.rsplit_once("\n\n").unwrap().1;
    for (wrong, why) in [
        (good.replace("\n\n", "\n"), "no blank line"),
        (good.trim_end().to_owned(), "no last newline"),
        (format!("{good}\n"), "an empty signature line"),
        (format!("{good}{signature}"), "our signature twice"),
        (good.replace("— ", "- "), "a hyphen for the dash"),
        (good.replace('\n', "\r\n"), "carriage returns"),
        (format!("{good}{}", "— w aaaaaaaa\n".repeat(MAX_SIGNATURES)), "too many signatures"),
        (format!("{good}— w {}\n", "a".repeat(MAX_NOTE_BYTES)), "too long"),
        (String::new(), "nothing"),
    ] {
        assert!(key().verifier().open(&wrong).is_err(), "{why}");
    }
}

#[test]
fn signed_texts_that_are_no_checkpoint_of_this_log_are_refused() {
    let root = BASE64.encode([1; 32]);
    let signed = |text: &str| {
        let mut signature = key().verifier().id.to_vec();
        signature.extend_from_slice(&key().sign_bytes(text.as_bytes()));
        format!("{text}\n— selvedge.demo/log {}\n", BASE64.encode(signature))
    };
    let open = |text: &str| key().verifier().open(&signed(text));
    assert!(open(&format!("selvedge.demo/log\n5\n{root}\n")).is_ok());
    for text in [
        format!("selvedge.demo/other\n5\n{root}\n"),
        format!("selvedge.demo/log\n05\n{root}\n"),
        format!("selvedge.demo/log\n+5\n{root}\n"),
        format!("selvedge.demo/log\n-5\n{root}\n"),
        format!("selvedge.demo/log\n5\n{}\n", BASE64.encode([1; 31])),
        format!("selvedge.demo/log\n5\n{root}\nextension\n"),
        "selvedge.demo/log\n5\n".to_owned(),
    ] {
        assert!(matches!(open(&text), Err(RecordError::Checkpoint { .. })), "{text}");
    }
}

#[test]
fn names_that_would_break_a_note_are_refused() {
    for name in ["", "two words", "a+b", "a\nb", "a\u{a0}b", &"x".repeat(MAX_KEY_NAME_BYTES + 1)] {
        assert!(LogKey::from_seed(name, &[7; 32]).is_err(), "{name}");
    }
}

#[test]
fn a_public_key_with_any_character_changed_is_refused() {
    let text = key().verifier().to_string();
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        let changed = String::from_utf8(bytes).unwrap();
        assert!(changed.parse::<LogVerifier>().is_err(), "{changed}");
    }
    assert!(text.to_uppercase().parse::<LogVerifier>().is_err());
}

proptest! {
    #[test]
    fn any_byte_changed_in_a_note_is_refused(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = note().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(changed) = String::from_utf8(bytes) {
            prop_assert!(key().verifier().open(&changed).is_err());
        }
    }

    #[test]
    fn no_text_makes_reading_panic(text in any::<String>()) {
        let _ = key().verifier().open(&text);
        let _ = text.parse::<LogVerifier>();
        let _ = signature_line(&text);
    }
}

#[test]
fn a_text_is_signed_for_its_kind_and_key_alone() {
    let key = LogKey::from_seed("selvedge.demo/log", &[1; 32]).unwrap();
    let other = LogKey::from_seed("selvedge.demo/log", &[2; 32]).unwrap();
    let signature = key.sign_text("backup", "{}");

    assert!(key.verifier().has_signed_text("backup", "{}", &signature));
    assert!(!key.verifier().has_signed_text("backup", "{ }", &signature));
    assert!(!key.verifier().has_signed_text("letter", "{}", &signature));
    assert!(!key.verifier().has_signed_text("backup", "{}", "not base64"));
    assert!(!other.verifier().has_signed_text("backup", "{}", &signature));
}
