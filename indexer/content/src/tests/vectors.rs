//! Ids that other implementations gave.
//!
//! Recorded with npm `ipfs-unixfs-importer` 17.1.1 over [`super::sample`] (chunker `fixedSize`,
//! layout `balanced`, `leafType: "file"`, `reduceSingleLeafToSelf`).

use super::sample;
use crate::{CidVersion, Codec, ContentId, Hasher, Profile, Verifier, id_of};
use CidVersion::{V0, V1};

/// Leaves of 10 bytes and 3 links: deep trees over few bytes.
const fn small(raw_leaves: bool, cid_version: CidVersion) -> Profile {
    Profile { chunk_size: 10, raw_leaves, max_links: 3, cid_version }
}

/// Profile, length of the sample, its CID.
#[rustfmt::skip]
const RECORDED: &[(Profile, usize, &str)] = &[
    (Profile::DEFAULT, 0, "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"),
    (Profile::DEFAULT, 1, "QmckNAcWX3uq4Mx8rSCsHvYyBuEwjPWkSBJ9NkJq1GEhma"),
    (Profile::DEFAULT, 262_143, "QmXNiiQyYD4ECTmVJd1yvLwNgpXuj2ccY9DyoDXAoHB5uY"),
    (Profile::DEFAULT, 262_144, "QmYH5u9QHv3vJAuYtVEVjdoKTqwxDse32uG6QZHjrUBTxH"),
    (Profile::DEFAULT, 262_145, "QmXk293KuVQQYgGpKe91CzW2hykJGFjmhjV4ZUDrXiRTFc"),
    (Profile::DEFAULT, 786_439, "Qme6cGfDmeaogUcotNRM41VEG1gAjDGnVfCFkT3BTY4upN"),
    (Profile::KUBO_V1, 0, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"),
    (Profile::KUBO_V1, 1, "bafkreig2xu5p65u7a7vsszkad2yctf2oxorua6x5akzg3w2wj2s7r35ooi"),
    (Profile::KUBO_V1, 262_144, "bafkreidd6k2rtu2k6woh25xxx2nxk2d2ifjrn54h6wjqfbqijyvdl2nrmq"),
    (Profile::KUBO_V1, 262_145, "bafybeidmf7miq54symki3qff7ohjgfhn23ysap4nt7fcolcjetgkyvqoaa"),
    (Profile::KUBO_V1, 1_048_576, "bafybeibgfq23ganrtwn5iijkylfi5tku2udvoqlh5bdmihzopks32l2fgq"),
    (Profile::KUBO_V1, 3_145_735, "bafybeifshccdjpslljmf2w7ae2kjrfi45uy33m7dahwv33h66kyeudswda"),
    (Profile::MIB_174, 1_048_576, "bafkreiep7x36nt66cvnlcghb64cdlw467uhjm5c6m5efjck63ult7rmrzi"),
    (Profile::MIB_174, 1_048_577, "bafybeihtedftjxy6bkqn6rdcfaov6mbrtqtta46qt6cfk42rr7ktkai4qm"),
    (Profile::MIB_174, 3_145_735, "bafybeif2zibizg3tq3sdhy2sjmjd575amz3fcfvrkcghtparsmbe4mnhye"),
    (Profile::MIB_1024, 1_048_577, "bafybeihtedftjxy6bkqn6rdcfaov6mbrtqtta46qt6cfk42rr7ktkai4qm"),
    (Profile::MIB_1024, 3_145_735, "bafybeif2zibizg3tq3sdhy2sjmjd575amz3fcfvrkcghtparsmbe4mnhye"),
    (small(false, V0), 10, "Qmc4U1fZy5voEp1R8kS3XYto9W84u6FAVAof2UnMeVHbAx"),
    (small(false, V1), 10, "bafybeigl3y5ikynxjot7ih2njmklk62qz7s6e4gl5vhyrx4mdtwxkvct5e"),
    (small(true, V0), 10, "bafkreigleu2kqbbaubbed377bns55rlmbdbhjckrk66f3lv2hk7kujmvru"),
    (small(true, V1), 10, "bafkreigleu2kqbbaubbed377bns55rlmbdbhjckrk66f3lv2hk7kujmvru"),
    (small(false, V0), 31, "Qmb7sgQiU8PB9rNbmnkeyKpdmUvkTCwpLQDht673gi5HLN"),
    (small(false, V1), 31, "bafybeidjcjhoxvbqbk5fvryx3hdizp272rj67kw64hcbma2bwsvpvjc42i"),
    (small(true, V0), 31, "QmXwqWbWJ6AVTesF15YHYy7G437koZhz5VMkGtXYzvhXm1"),
    (small(true, V1), 31, "bafybeifc6nzqm3tuurumna7sexwx5fd27vbrsvhzzqd6dhvjf7gx5coqw4"),
    (small(false, V0), 90, "QmSwEpAs5BTcvXXBwbgZjM4d3RqQ4VGdGhsXfxExrf4KFt"),
    (small(false, V1), 90, "bafybeifdjpdwvgwfyhkplviuf5z3tt7plwp4as4tcazohgqvrautgboly4"),
    (small(true, V0), 90, "QmXh5Xg2p68fwtiTgW7r6oaKmGMd8Ymmj7Q3pSNG1Y93oq"),
    (small(true, V1), 90, "bafybeiekb45fwc34xevnuk6pmqlzcuxvi4rgr7bbxwgojuit2bq6z2gu4a"),
    (small(false, V0), 91, "QmaX3kfvjH5y4e1EK84x8cJnWuj7Zvn2zMYgRzYizo2Ye5"),
    (small(false, V1), 91, "bafybeicet6fiprwmef5fc5wxpyi24xss5tfeoodsoautlgecqxsd5h4fgq"),
    (small(true, V0), 91, "QmYQoX1BxwR7WZb7ApTsM7Ysp2EqaRTff3471nst7so5VK"),
    (small(true, V1), 91, "bafybeib3xxb3276mnfwi7hkvjzwlfryfkv7tbmnozolflfi4ra4dmcz5bi"),
    (small(false, V0), 273, "QmZKGyq4EsyBUQDBw3VFgUYijhGXvuCxenKD79s5ATEcCf"),
    (small(false, V1), 273, "bafybeiajjsnzku5qokxvx2arnzddiexnnnxo67h5ndmzgnj4w5dgxq6ufq"),
    (small(true, V0), 273, "Qmcj2Gd8U5kHz6189q7Pww1oHmmNcmE455WNiz29vDUxo9"),
    (small(true, V1), 273, "bafybeiau3i5wea25igavepbtpylxmlx5k5x7ig574nhldmklzhsw4jrtzi"),
    (small(false, V0), 811, "QmU4w916bTyK3WpRLoVxdt9LgYG5amjin2taAnG7SLCufV"),
    (small(false, V1), 811, "bafybeia777awgwv5nbbxfroxtjsehyajtfctzvzirn2cr7hnkc6gevcgvi"),
    (small(true, V0), 811, "QmS8m8nuPKaSLaqycUEtXGSzF2HcnxVekVVE7HCBEDdT2h"),
    (small(true, V1), 811, "bafybeibsnayfeqaff34rbln6btaff6fvxgurieytrctjv34u4m6mwy2cui"),
];

/// 175 MiB of zeros: the shortest file for which 174 and 1024 links of 1 MiB leaves differ.
const ZEROS: &[(Profile, &str)] = &[
    (Profile::MIB_174, "bafybeiao7cvcysbrpzqeapfsl57objgfoug63mnx65ei62c3f2ozomrw6y"),
    (Profile::MIB_1024, "bafybeiaeoezytzzisxqa4vixgddwnvp4u72ju7cbftk47pp7vlaixtpn5e"),
];

fn hash(profile: Profile, bytes: &[u8]) -> ContentId {
    let mut hasher = Hasher::with_profile(profile);
    hasher.update(bytes);
    hasher.finish()
}

#[test]
fn every_profile_gives_the_recorded_ids() {
    for (profile, size, cid) in RECORDED {
        assert_eq!(hash(*profile, &sample(*size)), id(cid), "{profile:?}, {size} bytes");
    }
}

#[test]
fn the_widest_profiles_differ_only_above_174_leaves() {
    let mut verifier = Verifier::any_profile(id(ZEROS[1].1));
    let mut hashers = ZEROS.iter().map(|(p, _)| Hasher::with_profile(*p)).collect::<Vec<_>>();
    for _ in 0..175 {
        let piece = vec![0; 1 << 20];
        hashers.iter_mut().for_each(|hasher| hasher.update(&piece));
        verifier.update(&piece);
    }
    for (hasher, (_, cid)) in hashers.into_iter().zip(ZEROS) {
        assert_eq!(hasher.finish(), id(cid));
    }
    let verification = verifier.finish();
    assert!(verification.matches);
    assert_eq!(verification.profile, Some(Profile::MIB_1024));
}

#[test]
fn a_verifier_of_any_profile_knows_them_all() {
    for (profile, size, cid) in RECORDED.iter().filter(|(p, ..)| Profile::KNOWN.contains(p)) {
        let (expected, bytes) = (id(cid), sample(*size));
        let mut verifier = Verifier::any_profile(expected);
        bytes.chunks(100_000).for_each(|piece| verifier.update(piece));
        let verification = verifier.finish();
        assert!(verification.matches, "{profile:?}, {size} bytes");
        assert_eq!(verification.computed, id_of(expected.codec, &bytes));
        assert_eq!(verification.bytes, *size as u64);
    }
}

#[test]
fn the_default_verifier_does_not_try_other_profiles() {
    let expected = hash(Profile::KUBO_V1, &sample(600_000));
    let mut verifier = Verifier::new(expected);
    verifier.update(&sample(600_000));
    let verification = verifier.finish();
    assert!(!verification.matches);
    assert_eq!(verification.computed, id_of(Codec::DagPb, &sample(600_000)));
    assert_eq!(verification.sha256, id_of(Codec::Raw, &sample(600_000)).digest);
}

#[test]
fn the_sample_document_has_its_recorded_names() {
    let document = br#"{"name":"Everhold #1","image":"ipfs://QmaTnbtsrstS9cpbhiHHwFvrhEdbakszkncjEReU3PpwYA"}"#;
    assert_eq!(document.len(), 86);
    let dag = id_of(Codec::DagPb, document);
    assert_eq!(dag.to_string(), "QmVrvrjFCZuB5wGEYF632VQ8R3vkAiFyf3Mt9dxp4Co9g4");
    assert_eq!(dag.cid(), "bafybeidpyn67vz6loaxz5h4kz3kj36gpkckozrrw5auehzwodlppb5z47e");
}

fn id(text: &str) -> ContentId {
    text.parse().unwrap()
}
