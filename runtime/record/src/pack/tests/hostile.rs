//! What a hostile hand can do to the bytes of a pack.

use proptest::prelude::*;

use super::*;

/// Flips one bit and checks that the fault names the line in which it stands.
fn assert_flip_is_found(pack: &[u8], position: usize, bit: usize, trusted: Option<&LogVerifier>) {
    let mut flipped = pack.to_vec();
    flipped[position] ^= 1 << bit;
    let change = format!("byte {position}, {:?} made {:?}", pack[position] as char, flipped[position] as char);
    let Err(fault) = verify(&flipped, trusted) else { panic!("{change}: not noticed") };
    let line = pack[..position].iter().filter(|byte| **byte == b'\n').count() + 1;
    assert_eq!(fault.line, line, "{change}: {fault}");
}

#[test]
fn every_byte_flipped_in_turn_is_refused_and_its_line_named() {
    let key = fixture().key.verifier();
    for position in 0..PACK.len() {
        assert_flip_is_found(PACK.as_bytes(), position, position % 8, Some(&key));
        assert_flip_is_found(PACK.as_bytes(), position, (position + 3) % 8, None);
    }
}

#[test]
fn every_bit_of_a_small_pack_flipped_in_turn_is_refused_and_its_line_named() {
    let pack = write(&small_source(), &fixture().key).unwrap();
    for position in 0..pack.len() {
        for bit in 0..8 {
            assert_flip_is_found(pack.as_bytes(), position, bit, None);
        }
    }
}

#[test]
fn a_pack_cut_anywhere_is_refused() {
    for length in 0..PACK.len() {
        assert!(verify(&PACK.as_bytes()[..length], None).is_err(), "cut to {length} bytes");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_verifying_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(verify(&bytes, None).is_err());
    }

    #[test]
    fn a_pack_changed_in_several_places_is_refused(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..6)
    ) {
        let mut bytes = PACK.clone().into_bytes();
        for (position, byte, how) in edits {
            let position = position.index(bytes.len());
            match how {
                0 => bytes[position] = byte,
                1 => bytes.insert(position, byte),
                _ => drop(bytes.remove(position)),
            }
        }
        prop_assume!(bytes != PACK.as_bytes());
        prop_assert!(check(&String::from_utf8_lossy(&bytes)).is_err() || bytes == PACK.as_bytes());
        prop_assert!(verify(&bytes, None).is_err());
    }

    #[test]
    fn lines_in_any_other_order_number_or_seal_are_refused(
        order in proptest::collection::vec(0..lines().len(), 0..2 * lines().len())
    ) {
        let whole = lines();
        prop_assume!(!order.iter().copied().eq(0..whole.len()));
        let shuffled: Vec<String> = order.iter().map(|i| whole[*i].clone()).collect();
        prop_assert!(check(&shuffled.concat()).is_err());
    }

    #[test]
    fn shapes_that_are_nearly_right_do_not_panic(
        swaps in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..8), numbers in any::<[u64; 3]>()
    ) {
        let mut lines = lines();
        for (a, b) in swaps {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            lines.swap(a, b);
        }
        let [events, seq, index] = numbers.map(|n| n >> 11);
        lines[0] = lines[0].replace("\"events\":9", &format!("\"events\":{events}"));
        let text = lines.concat().replace("\"seq\":2", &format!("\"seq\":{seq}")).replace("\"index\":4", &format!("\"index\":{index}"));
        let _ = check(&resealed(text.split_inclusive('\n').map(str::to_owned).collect()));
    }
}
