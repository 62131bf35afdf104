//! The laws are checked against an independent implementation, `ct-merkle`.

use aws_lc_rs::digest as aws;
use ct_merkle::digest::{FixedOutput, HashMarker, Output, OutputSizeUser, Update, array::sizes::U32};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;

use super::*;

/// SHA-256 as the oracle wants it.
struct Sha256(aws::Context);

impl Default for Sha256 {
    fn default() -> Sha256 {
        Sha256(aws::Context::new(&aws::SHA256))
    }
}

impl HashMarker for Sha256 {}

impl OutputSizeUser for Sha256 {
    type OutputSize = U32;
}

impl Update for Sha256 {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }
}

impl FixedOutput for Sha256 {
    fn finalize_into(self, out: &mut Output<Self>) {
        out.copy_from_slice(self.0.finish().as_ref());
    }
}

fn texts(size: usize) -> Vec<String> {
    (0..size).map(|i| format!("leaf {i}")).collect()
}

fn leaves(size: usize) -> Vec<Hash> {
    texts(size).iter().map(|text| Hash::leaf(text)).collect()
}

fn oracle(size: usize) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    for text in texts(size) {
        tree.push(text.into_bytes());
    }
    tree
}

fn bytes(proof: &[Hash]) -> Vec<u8> {
    proof.iter().flat_map(|hash| hash.0).collect()
}

#[test]
fn the_empty_log_has_the_hash_of_nothing_as_its_root() {
    assert_eq!(root(&[]).to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#[test]
fn small_trees_agree_with_the_oracle_in_every_proof() {
    for size in 1..=33 {
        let (ours, theirs) = (leaves(size), oracle(size));
        let size = size as u64;
        let root = root(&ours);
        assert_eq!(root.0.as_slice(), theirs.root().as_bytes().as_slice(), "root of {size}");
        for index in 0..size {
            let proof = inclusion_proof(&ours, index);
            assert_eq!(bytes(&proof), theirs.prove_inclusion(index as usize).as_bytes(), "{index} in {size}");
            for other in 0..=size {
                let holds = verify_inclusion(root, size, other, ours[index as usize], &proof);
                assert_eq!(holds, other == index, "proof of {index} in {size} taken for {other}");
            }
        }
        for old in 1..=size {
            let proof = consistency_proof(&ours, old);
            let added = (size - old) as usize;
            assert_eq!(bytes(&proof), theirs.prove_consistency(added).as_bytes(), "{old} in {size}");
            let old_root = super::root(&ours[..old as usize]);
            assert!(verify_consistency(old, old_root, size, root, &proof), "{old} in {size}");
        }
    }
}

#[test]
fn a_frontier_survives_being_stored_and_damage_to_it_is_noticed() {
    let mut frontier = Frontier::new();
    let all = leaves(50);
    for (count, leaf) in all.iter().enumerate() {
        assert_eq!(frontier.root(), root(&all[..count]));
        assert_eq!(frontier.push(*leaf), count as u64);
        let stored = serde_json::to_string(&frontier).unwrap();
        assert_eq!(serde_json::from_str::<Frontier>(&stored).unwrap(), frontier);
    }
    assert!(Frontier::restore(50, frontier.peaks()[1..].to_vec()).is_err());
    assert!(serde_json::from_str::<Frontier>(r#"{"size":3,"peaks":[]}"#).is_err());
}

#[test]
fn indices_and_sizes_outside_the_tree_prove_nothing() {
    let all = leaves(5);
    let root = root(&all);
    assert_eq!(inclusion_proof(&all, 5), vec![]);
    assert_eq!(inclusion_proof(&[], 0), vec![]);
    assert!(!verify_inclusion(root, 5, 5, all[0], &[]));
    assert!(!verify_inclusion(root, 0, 0, all[0], &[]));
    assert!(!verify_consistency(6, root, 5, root, &[]));
    assert!(!verify_consistency(0, root, 5, root, &[]));
    assert!(!verify_consistency(3, super::root(&all[..3]), 5, root, &[]));
    assert!(verify_consistency(0, super::root(&[]), 5, root, &[]));
    assert!(verify_consistency(5, root, 5, root, &[]));
}

proptest! {
    #[test]
    fn large_trees_agree_with_the_oracle(size in 1usize..600, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let (ours, theirs) = (leaves(size), oracle(size));
        let (index, old) = (a.index(size), b.index(size) + 1);
        let root = root(&ours);
        let expected = theirs.root();
        prop_assert_eq!(root.0.as_slice(), expected.as_bytes().as_slice());

        let inclusion = inclusion_proof(&ours, index as u64);
        let expected = theirs.prove_inclusion(index);
        prop_assert_eq!(bytes(&inclusion), expected.as_bytes());
        prop_assert!(verify_inclusion(root, size as u64, index as u64, ours[index], &inclusion));

        let consistency = consistency_proof(&ours, old as u64);
        let expected = theirs.prove_consistency(size - old);
        prop_assert_eq!(bytes(&consistency), expected.as_bytes());
        prop_assert!(verify_consistency(old as u64, super::root(&ours[..old]), size as u64, root, &consistency));
    }

    #[test]
    fn a_changed_proof_proves_nothing(size in 2usize..200, a in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0usize..256) {
        let all = leaves(size);
        let index = a.index(size);
        let root = root(&all);
        let mut proof = inclusion_proof(&all, index as u64);
        let at = at.index(proof.len());
        proof[at].0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!verify_inclusion(root, size as u64, index as u64, all[index], &proof));
        proof[at].0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!verify_inclusion(root, size as u64, index as u64, all[index], &proof[1..]));
        proof.push(root);
        prop_assert!(!verify_inclusion(root, size as u64, index as u64, all[index], &proof));
    }

    #[test]
    fn a_rewritten_past_is_not_consistent(size in 2usize..200, a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let all = leaves(size);
        let old = a.index(size - 1) + 1;
        let mut rewritten = all.clone();
        rewritten[b.index(old)] = Hash::leaf("something else");
        let proof = consistency_proof(&rewritten, old as u64);
        let (old_root, new_root) = (root(&all[..old]), root(&rewritten));
        prop_assert!(!verify_consistency(old as u64, old_root, size as u64, new_root, &proof));
    }

    #[test]
    fn no_numbers_make_verifying_panic(size in any::<u64>(), index in any::<u64>(), length in 0usize..70) {
        let proof = vec![Hash::ZERO; length];
        let _ = verify_inclusion(Hash::ZERO, size, index, Hash::ZERO, &proof);
        let _ = verify_consistency(index, Hash::ZERO, size, Hash::ZERO, &proof);
    }
}
