//! `everhold hash`, beside npm's importer.

use std::fs;

use everhold_e2e::{
    Everhold, Result, content::cid_v1, dag::Dag, ended::Ended, report::text, sha256,
};
use serde_json::json;

#[tokio::test]
async fn a_file_has_the_names_that_others_give_it() -> Result<()> {
    let everhold = Everhold::new()?;
    let path = everhold.dir().join("file");
    // Less than what is read at once, exactly that, and more.
    for size in [0, 100, 1 << 20, 5_000_000] {
        let bytes = vec![7; size];
        fs::write(&path, &bytes).unwrap();
        let hashed = everhold.run(["hash", "file"]).await?.gives(0)?;
        assert_eq!(hashed["bytes"], size);
        assert_eq!(text(&hashed["sha256"]), sha256(&bytes));
        assert_eq!(text(&hashed["raw_cid"]), cid_v1("55", &sha256(&bytes)));
        let dag = Dag::import(&path, json!({})).await?;
        assert_eq!(text(&hashed["cid_v0"]), dag.root);
        assert_eq!(text(&hashed["cid_v1"]), dag.blocks[0].0);
    }
    Ok(())
}

#[tokio::test]
async fn a_folder_has_the_cid_that_others_give_it() -> Result<()> {
    let everhold = Everhold::new()?;
    let top = everhold.dir().join("top");
    fs::create_dir_all(top.join("images")).unwrap();
    fs::write(top.join("1.json"), "{}").unwrap();
    fs::write(top.join("images/1.png"), vec![1; 400_000]).unwrap();
    let hashed = everhold.run(["hash", "top"]).await?.gives(0)?;
    assert_eq!(text(&hashed["cid_v0"]), Dag::import(&top, json!({})).await?.root);
    assert_eq!((&hashed["sha256"], &hashed["bytes"]), (&json!(null), &json!(400_002)));
    assert_eq!(text(&hashed["files"][1]["path"]), "images/1.png");
    Ok(())
}

#[tokio::test]
async fn what_has_no_name_is_refused_by_name() -> Result<()> {
    let everhold = Everhold::new()?;
    everhold.run(["hash", "nowhere", "-q"]).await?.refuses(&["nowhere"])?;
    everhold.run(["hash", "/dev/null", "-q"]).await?.refuses(&["neither a file nor a folder"])?;
    fs::create_dir(everhold.dir().join("top")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", everhold.dir().join("top/link")).unwrap();
    everhold.run(["hash", "top", "-q"]).await?.refuses(&["link", "symbolic"])?;
    Ok(())
}
