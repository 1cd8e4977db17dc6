//! Group 7: edit, delete, reorder, truncate and insert are detected, and the first broken entry is named.

use crate::world::*;
use plumb_govern::Refusal;
use plumb_govern::log::{
    Broken, Checkpoint, Entry, Event, Head, Keys, Log, Report, SealKey, Sealed, Why, canonical, verify,
};
use proptest::prelude::*;

fn key(n: u8) -> SealKey {
    SealKey::from_seed(&[n; 32])
}

/// A log of `n` entries with a checkpoint every `every`.
fn log(n: u64, every: u64) -> (Vec<Sealed>, Vec<Checkpoint>, Head) {
    let mut log = Log::default();
    let (mut entries, mut points) = (Vec::new(), Vec::new());
    for i in 0..n {
        let change = serde_json::json!({ "to": "triaged", "n": i, "note": "ä\n\"x\"" });
        entries.push(log.append(Event::done(
            &actor("erin"),
            "finding.triage",
            ("finding", &format!("f{}", i % 7)),
            change,
            now(),
        )));
        if (i + 1) % every == 0 {
            points.push(log.checkpoint("plumbline/test", &[&key(1)], now()));
        }
    }
    (entries, points, log.head())
}

fn check(entries: &[Sealed], points: &[Checkpoint], end: Option<&Head>) -> Result<Report, Broken> {
    verify(&Head::empty(), entries.iter().cloned(), points, Keys::trusted([key(1).public()]), end)
}

#[test]
fn a_sound_log_verifies_and_tells_what_is_not_signed_yet() {
    let (entries, points, head) = log(25, 10);
    let report = check(&entries, &points, Some(&head)).unwrap();
    assert_eq!((report.entries, report.checkpoints, report.unsigned_tail), (25, 2, 5));
    assert_eq!(report.head, head);
    let lines: Vec<_> = entries.iter().enumerate().map(|(i, e)| Sealed::from_line(i as u64, &e.line())).collect();
    assert_eq!(lines, entries);
}

#[test]
fn the_hand_written_canonical_form_is_the_canonical_form() {
    let refusal = Refusal::field("note", "at least 20 characters");
    let mut log = Log::default();
    let sealed = log.append(Event::denied(
        &actor("token-erin"),
        "decision.reject",
        ("decision", "EX-1 \u{1}\"ü"),
        &refusal,
        now(),
    ));
    let entry: Entry = serde_json::from_slice(&sealed.bytes).unwrap();
    assert_eq!(canonical::bytes(&serde_json::to_value(&entry).unwrap()), sealed.bytes);
    assert_eq!(entry.canonical(), sealed.bytes);
    assert_eq!(entry.change["code"], "incomplete");
}

#[test]
fn a_log_goes_on_where_its_head_stands() {
    let (entries, _, head) = log(13, 100);
    let mut first = Log::default();
    let event = |i: u64| {
        let e: Entry = serde_json::from_slice(&entries[usize::try_from(i).unwrap()].bytes).unwrap();
        Event::done(&actor("erin"), &e.action, (&e.object_kind, &e.object_id), e.change, e.at)
    };
    (0..6).for_each(|i| drop(first.append(event(i))));
    let stored: Head = serde_json::from_str(&serde_json::to_string(&first.head()).unwrap()).unwrap();
    let mut second = Log::resume(&stored).unwrap();
    (6..13).for_each(|i| drop(second.append(event(i))));
    assert_eq!(second.head(), head);
    // The later part verifies alone, against a checkpoint over the whole.
    let point = second.checkpoint("plumbline/test", &[&key(1)], now());
    let keys = Keys::trusted([key(1).public()]);
    let report = verify(&stored, entries[6..].iter().cloned(), &[point], keys, Some(&head)).unwrap();
    assert_eq!((report.entries, report.unsigned_tail), (7, 0));
    assert!(Log::resume(&Head { size: 7, ..stored }).is_err());
}

#[test]
fn a_new_key_is_trusted_once_the_old_one_signed_with_it() {
    let mut log = Log::default();
    let mut entries = Vec::new();
    let mut point = |log: &mut Log, keys: &[&SealKey]| {
        entries.push(log.append(Event::done(&system(), "scan.finish", ("scan", "1"), serde_json::json!({}), now())));
        log.checkpoint("plumbline/test", keys, now())
    };
    let before = point(&mut log, &[&key(1)]);
    let rotation = point(&mut log, &[&key(1), &key(2)]);
    let after = point(&mut log, &[&key(2)]);
    let keys = || Keys::trusted([key(1).public()]).offering([key(2).public()]);
    let all = |points: &[Checkpoint]| verify(&Head::empty(), entries.iter().cloned(), points, keys(), None);
    assert_eq!(all(&[rotation.clone(), after.clone()]).unwrap().keys.len(), 2);
    assert_eq!(all(std::slice::from_ref(&after)).unwrap_err().why, Why::Unsigned);
    // Who trusts the new key trusts what the old one signed before, once both signed together.
    let new = Keys::trusted([key(2).public()]).offering([key(1).public()]);
    let points = [before, rotation.clone(), after];
    let with = |keys: Keys| verify(&Head::empty(), entries.iter().cloned(), &points, keys, None);
    assert_eq!(with(new.clone().vouching_back(&points)).unwrap().keys.len(), 2);
    assert_eq!(with(new).unwrap_err().why, Why::Unsigned);
    let stranger = Keys::trusted([key(3).public()]).offering([key(1).public(), key(2).public()]);
    assert_eq!(with(stranger.vouching_back(&points)).unwrap_err().why, Why::Unsigned);
    let mut bad = rotation;
    bad.signatures[0].sig = bad.signatures[1].sig.clone();
    assert_eq!(all(&[bad]).unwrap_err(), Broken { index: 1, why: Why::Unsigned });
}

/// Somebody with the database and the program, but not the key, writes the whole chain anew.
#[test]
fn a_chain_written_anew_is_not_what_was_signed() {
    let (entries, points, head) = log(30, 10);
    let mut forged = Log::default();
    let again: Vec<_> = entries
        .iter()
        .map(|s| {
            let e: Entry = serde_json::from_slice(&s.bytes).unwrap();
            let change = if s.seq == 14 { serde_json::json!({ "to": "accepted" }) } else { e.change };
            forged.append(Event::done(&actor("erin"), &e.action, (&e.object_kind, &e.object_id), change, e.at))
        })
        .collect();
    let broken = check(&again, &points, None).unwrap_err();
    assert_eq!(broken, Broken { index: 10, why: Why::Rewritten { last: 19 } });
    assert_eq!(
        broken.to_string(),
        "entry 10 or a later one up to entry 19 was rewritten: the tree is not the one that was signed"
    );
    assert!(check(&again, &[], Some(&head)).is_err(), "a head kept elsewhere tells too");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn any_single_tampering_is_found_and_named(n in 2usize..40, every in 1u64..12, at in any::<prop::sample::Index>(), to in any::<prop::sample::Index>(), kind in 0u8..6, byte in any::<prop::sample::Index>(), bit in 0u8..8) {
        let (entries, points, head) = log(n as u64, every);
        let (i, j) = (at.index(n), to.index(n));
        let mut bad = entries.clone();
        let first = match kind {
            0 => {
                let len = bad[i].bytes.len();
                bad[i].bytes[byte.index(len)] ^= 1 << bit;
                i
            }
            1 => {
                // Edited with its own hash set right.
                let e: Entry = serde_json::from_slice(&bad[i].bytes).unwrap();
                bad[i].bytes = Entry { actor: "mallory".into(), ..e }.canonical();
                bad[i].hash = plumb_govern::log::merkle::sha256(&bad[i].bytes);
                i
            }
            2 => {
                bad.remove(i);
                i
            }
            3 => {
                bad.truncate(i);
                i
            }
            4 => {
                prop_assume!(i != j);
                bad.swap(i, j);
                i.min(j)
            }
            _ => {
                let copy = bad[j].clone();
                bad.insert(i, copy);
                // A copy put beside itself is first out of place one further on.
                if i == j || i == j + 1 { j + 1 } else { i }
            }
        };
        let broken = check(&bad, &points, Some(&head)).unwrap_err();
        // Without anything after it, only the signed tree or the head tells; they name where trust ends.
        let exact = kind != 1 || i + 1 < bad.len();
        if exact {
            prop_assert_eq!(broken.index, first as u64, "{}", broken);
        } else {
            prop_assert!(broken.index <= first as u64, "{}", broken);
        }
    }
}
