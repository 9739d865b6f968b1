//! Mail: one that is not taken, and one recipient who is refused, hold up nothing else.

use std::fs;

use everhold_e2e::{Finished, MailServer, Result, Setup, World, ended::Ended, report::text};

use crate::sinks::world_with;

const BOTH: [&str; 2] = ["a@example.org", "b@example.org"];

/// Two tokens, and mail to two.
async fn mailed() -> Result<(World, MailServer)> {
    let mail = MailServer::start(false).await?;
    let sink = format!(
        "[[alert]]\nemail = {{ to = {BOTH:?}, from = \"e@example.org\", smtp = \"{}\" }}\n",
        mail.url()
    );
    let world = world_with(Setup { nodes: 2, ..Setup::default() }, &sink).await?;
    Ok((world, mail))
}

async fn run(world: &World, mail: &MailServer, line: &[&str]) -> Result<Finished> {
    let authority = mail.authority().display().to_string();
    world.everhold.run_with(line, &[("SSL_CERT_FILE", authority.as_str())]).await
}

/// Loses a token's picture on the first node; gives its id and its bytes.
async fn lose(world: &World, token: u64) -> Result<(String, Vec<u8>)> {
    let id = world.id(token, "image").await?;
    let path = world.nodes[0].path(&id);
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(path).unwrap();
    Ok((id, bytes))
}

const ONCE: [&str; 3] = ["watch", "--once", "--no-repair"];

#[tokio::test]
async fn a_mail_that_is_not_taken_holds_up_no_other() -> Result<()> {
    let (world, mail) = mailed().await?;
    let (spam, _) = lose(&world, 1).await?;
    let (other, _) = lose(&world, 2).await?;
    mail.refuse_mail(&spam, "554 5.7.1 looks like spam");
    let round = run(&world, &mail, &ONCE).await?;
    let said = "SMTP 554: 5.7.1 looks like spam; look why the server does not take this message";
    assert!(round.stderr.contains(said), "{}", round.stderr);
    assert_eq!(round.gives(3)?["round"]["alerts"], 1);
    let mails = mail.mails();
    assert_eq!((mails.len(), &mails[0].to[..]), (1, &BOTH.map(str::to_owned)[..]));
    assert!(mails[0].text.replace("=\n", "").contains(&other), "{}", mails[0].text);
    mail.refuse_mail("", "");
    assert_eq!(run(&world, &mail, &ONCE).await?.gives(3)?["round"]["alerts"], 1);
    assert_eq!(mail.mails().len(), 2);
    Ok(())
}

#[tokio::test]
async fn who_is_refused_keeps_a_mail_from_nobody_and_nobody_gets_it_twice() -> Result<()> {
    let (world, mail) = mailed().await?;
    let (id, bytes) = lose(&world, 1).await?;
    mail.refuse_for(BOTH[1], "550 no such person", 2);
    let round = run(&world, &mail, &ONCE).await?;
    for said in ["not to b@example.org: SMTP 550: no such person", "it refuses b@example.org"] {
        assert!(round.stderr.contains(said), "{said}: {}", round.stderr);
    }
    assert_eq!(round.gives(3)?["round"]["alerts"], 1);
    assert_eq!(mail.mails()[0].to, [BOTH[0]]);
    let tested = run(&world, &mail, &["alert", "test"]).await?.gives(1)?;
    let sink = &tested["sinks"][0];
    assert_eq!(sink["taken"], false);
    assert!(text(&sink["error"]).contains("not to b@example.org"), "{sink}");
    assert_eq!(mail.mails().len(), 2);

    // For now only: it is tried again, for that one.
    fs::write(world.nodes[0].path(&id), bytes).unwrap();
    mail.refuse_for(BOTH[1], "451 come back in a while", 2);
    let round = run(&world, &mail, &ONCE).await?.gives(0)?;
    assert_eq!(round["round"]["alerts"], 1, "{round}");
    let mails = mail.mails().split_off(2);
    let to: Vec<_> = mails.iter().map(|mail| mail.to.join(" ")).collect();
    assert_eq!(to, BOTH, "each once");
    let id = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("Message-ID: "));
        line.map(str::to_owned)
    };
    assert!(id(&mails[0].text).is_some() && id(&mails[0].text) == id(&mails[1].text));

    // Where nobody is served, nothing is.
    lose(&world, 1).await?;
    for one in BOTH {
        mail.refuse_for(one, "550 no such person", 9);
    }
    assert_eq!(run(&world, &mail, &ONCE).await?.gives(3)?["round"]["alerts"], 0);
    let outbox = world.everhold.json(["alert", "list"]).await?;
    assert_eq!(outbox["sinks"][0]["waiting"], 1, "{outbox}");
    assert_eq!(mail.mails().len(), 4);
    Ok(())
}
