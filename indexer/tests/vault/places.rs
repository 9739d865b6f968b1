//! What is put into a vault comes out as it was, or not at all: in a folder as in a bucket.

use std::fs;

use everhold::{
    ledger::Known,
    vault::{Form, Stored, Unproved},
};

use crate::support::{Place, file, noise, raw, unusual};

/// Makes each `async fn name(Place)` a test in a folder and one in a bucket.
macro_rules! in_both_places {
    ($($name:ident),+ $(,)?) => {
        mod folder {
            use crate::support::Place;
            $(#[tokio::test] async fn $name() { super::$name(Place::folder()).await; })+
        }
        mod bucket {
            use crate::support::Place;
            $(#[tokio::test] async fn $name() { super::$name(Place::bucket().await).await; })+
        }
    };
}

in_both_places!(
    what_is_put_comes_out,
    what_is_large_goes_in_parts,
    what_rots_never_leaves_as_right,
    blocks_are_kept_and_give_the_file,
    what_is_removed_or_set_aside_is_gone,
    what_was_put_right_meanwhile_is_not_set_aside,
    what_is_wrong_in_one_form_hides_nothing_of_the_other,
    what_is_marked_is_known_to_be_there,
    nothing_is_found_where_nothing_is,
);

async fn what_is_put_comes_out(place: Place) {
    let bytes = noise(1, 100_000);
    let id = raw(&bytes);
    assert_eq!(place.vault.put(&id, Form::File, file(&bytes).path()).await.unwrap(), 100_000);
    let stored = Stored { id, form: Form::File, bytes: 100_000 };
    assert_eq!(place.vault.find(&id).await.unwrap(), [stored]);
    assert_eq!(place.vault.list().await.unwrap(), [stored]);
    let (found, copy) = place.vault.copy(&id, Known::default()).await.unwrap().unwrap();
    assert!(found == stored && fs::read(copy.path()).unwrap() == bytes);
    assert!(fs::read(place.path(&id, "")).unwrap() == bytes);
    // A second time changes nothing.
    place.vault.put(&id, Form::File, file(&bytes).path()).await.unwrap();
    assert_eq!(place.vault.list().await.unwrap(), [stored]);
}

async fn what_is_large_goes_in_parts(place: Place) {
    let bytes = noise(2, 20 << 20);
    let id = raw(&bytes);
    place.vault.put(&id, Form::File, file(&bytes).path()).await.unwrap();
    let (_, copy) = place.vault.copy(&id, Known::default()).await.unwrap().unwrap();
    assert!(fs::read(copy.path()).unwrap() == bytes);
    assert_eq!(place.vault.list().await.unwrap().len(), 1, "no part is left");
}

async fn what_rots_never_leaves_as_right(place: Place) {
    let bytes = noise(3, 5000);
    let id = raw(&bytes);
    place.vault.put(&id, Form::File, file(&bytes).path()).await.unwrap();
    let mut rotten = bytes.clone();
    rotten[2500] ^= 1;
    for wrong in [rotten, bytes[..4999].to_vec(), Vec::new()] {
        fs::write(place.path(&id, ""), &wrong).unwrap();
        let proved = place.vault.prove(&id, Form::File, Known::default(), &mut |_| {}).await;
        assert!(matches!(proved, Err(Unproved::Wrong(_))), "{proved:?}");
        assert!(place.vault.copy(&id, Known::default()).await.unwrap().is_none());
    }
    fs::write(place.path(&id, ""), &bytes).unwrap();
    let proved = place.vault.prove(&id, Form::File, Known::default(), &mut |_| {}).await.unwrap();
    assert_eq!((proved.bytes, proved.sha256), (5000, id.digest));
}

async fn blocks_are_kept_and_give_the_file(place: Place) {
    let bytes = noise(4, 30_000);
    let (id, car) = unusual(&bytes);
    // Its bytes alone make no known name.
    place.vault.put(&id, Form::File, file(&bytes).path()).await.unwrap();
    assert!(place.vault.copy(&id, Known::default()).await.unwrap().is_none());
    place.vault.put(&id, Form::Car, file(&car).path()).await.unwrap();
    place.vault.leave_only(&id, Form::Car).await.unwrap();
    let (found, copy) = place.vault.copy(&id, Known::default()).await.unwrap().unwrap();
    assert_eq!(found.form, Form::Car);
    assert!(fs::read(copy.path()).unwrap() == bytes);
    let archive = place.vault.copy_archive(&id).await.unwrap().unwrap();
    assert!(fs::read(archive.path()).unwrap() == car);
    for cut in [0, 1, 100, car.len() / 2, car.len() - 1] {
        fs::write(place.path(&id, ".car"), &car[..cut]).unwrap();
        assert!(place.vault.copy(&id, Known::default()).await.unwrap().is_none(), "{cut}");
        assert!(place.vault.copy_archive(&id).await.unwrap().is_none(), "{cut}");
    }
}

async fn what_is_removed_or_set_aside_is_gone(place: Place) {
    let (one, two) = (noise(5, 10), noise(6, 10));
    for bytes in [&one, &two] {
        place.vault.put(&raw(bytes), Form::File, file(bytes).path()).await.unwrap();
    }
    assert_eq!(place.vault.list_aside().await.unwrap(), []);
    fs::write(place.path(&raw(&one), ""), b"rotten").unwrap();
    let set_aside =
        async || place.vault.set_aside(&raw(&one), Form::File, Known::default()).await.unwrap();
    assert!(set_aside().await);
    assert_eq!(place.vault.list_aside().await.unwrap(), [raw(&one)]);
    assert_eq!(place.vault.find(&raw(&one)).await.unwrap(), []);
    let aside = place.files.join("aside").join(raw(&one).cid());
    assert!(fs::read(&aside).unwrap() == b"rotten");
    assert!(set_aside().await, "it is not there");
    assert_eq!(place.vault.list().await.unwrap().len(), 1);
    for bytes in [&one, &two, &one] {
        place.vault.remove(&raw(bytes)).await.unwrap();
    }
    assert!(!aside.exists() && place.vault.list().await.unwrap().is_empty());
}

/// Somebody found it wrong, and then another put it there anew.
async fn what_was_put_right_meanwhile_is_not_set_aside(place: Place) {
    let bytes = noise(7, 5000);
    let id = raw(&bytes);
    place.vault.put(&id, Form::File, file(&bytes).path()).await.unwrap();
    assert!(!place.vault.set_aside(&id, Form::File, Known::default()).await.unwrap());
    assert!(fs::read(place.path(&id, "")).unwrap() == bytes);
    assert_eq!(place.vault.list_aside().await.unwrap(), []);
}

async fn what_is_wrong_in_one_form_hides_nothing_of_the_other(place: Place) {
    let bytes = noise(8, 30_000);
    let (id, car) = unusual(&bytes);
    place.vault.put(&id, Form::File, file(b"left by a process that ended").path()).await.unwrap();
    place.vault.put(&id, Form::Car, file(&car).path()).await.unwrap();
    assert_eq!(place.vault.find(&id).await.unwrap().len(), 2);
    let (found, copy) = place.vault.copy(&id, Known::default()).await.unwrap().unwrap();
    assert!(found.form == Form::Car && fs::read(copy.path()).unwrap() == bytes);
}

async fn what_is_marked_is_known_to_be_there(place: Place) {
    assert!(!place.vault.is_marked().await.unwrap());
    assert!(!place.files.exists());
    place.vault.mark().await.unwrap();
    assert!(place.vault.is_marked().await.unwrap());
    assert!(place.vault.list().await.unwrap().is_empty(), "it is no content");
    fs::write(place.files.join("everhold-vault"), b"").unwrap();
    assert!(place.vault.is_marked().await.unwrap(), "people may make an empty one");
}

/// As at the root of a disk. Who is root may read all, but nobody follows a link to itself.
#[cfg(unix)]
#[tokio::test]
async fn what_is_foreign_is_left_alone_and_hides_nothing() {
    let place = Place::folder();
    let bytes = noise(9, 1000);
    let id = raw(&bytes);
    place.vault.put(&id, Form::File, file(&bytes).path()).await.unwrap();
    let own = place.path(&id, "").parent().unwrap().to_owned();
    for folder in [place.files.join("lost+found"), place.files.join("photos"), own.join("more")] {
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(id.cid()), b"").unwrap();
    }
    for link in [place.files.join("loop"), place.files.join("zz"), own.join("loop")] {
        std::os::unix::fs::symlink(&link, &link).unwrap();
    }
    fs::write(own.join("notes.txt"), b"").unwrap();
    place.vault.clean().await.unwrap();
    let all = place.vault.list().await.unwrap();
    assert_eq!(all, [Stored { id, form: Form::File, bytes: 1000 }]);
    assert_eq!(place.vault.list_aside().await.unwrap(), []);
    assert!(place.files.join("lost+found").join(id.cid()).exists());
}

#[tokio::test]
async fn what_is_no_folder_is_told_with_its_path() {
    let place = Place::folder();
    fs::write(&place.files, b"").unwrap();
    for error in [place.vault.clean().await.unwrap_err(), place.vault.list().await.unwrap_err()] {
        let said = error.to_string();
        assert!(said.contains("the vault") && said.contains("can't be used"), "{said}");
        assert!(said.contains(&place.files.display().to_string()), "{said}");
    }
}

async fn nothing_is_found_where_nothing_is(place: Place) {
    let id = raw(b"x");
    assert_eq!(place.vault.find(&id).await.unwrap(), []);
    assert!(place.vault.copy(&id, Known::default()).await.unwrap().is_none());
    let proved = place.vault.prove(&id, Form::File, Known::default(), &mut |_| {}).await;
    assert!(matches!(proved, Err(Unproved::Missing)));
    assert!(place.vault.list().await.unwrap().is_empty());
    place.vault.remove(&id).await.unwrap();
    place.vault.clean().await.unwrap();
    assert!(!place.files.exists(), "nothing is made before something comes");
}
