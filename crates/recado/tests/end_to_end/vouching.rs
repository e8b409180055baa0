//! CAs that vouch for a server, and a man in the middle who would like to be it.

use std::fs;

use crate::common::{Authority, Browser, Catch, Ended, Home, Interceptor, Server, run, skip};

/// A calculation, the shortest way to need trust. `platform` is what this system trusts.
fn calculate(home: &Home, server: &str, platform: Option<&str>, arguments: &[&str]) -> Ended {
    let mut command = home.recado(&["calc", "add", "1", "2", "--server", server]);
    if let Some(platform) = platform {
        fs::write(home.file("platform.pem"), platform).unwrap();
        command.env("SSL_CERT_FILE", home.file("platform.pem"));
    }
    run(command.args(arguments))
}

fn pins(home: &Home) -> Vec<String> {
    run(&mut home.recado(&["trust", "list"])).stdout
}

/// A server with a certificate of a CA's for a name.
fn vouched_for(ca: &Authority, name: &str) -> Server {
    let home = Home::new();
    let pair = ca.issue(&[name]);
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| home.file(name));
    fs::write(&certificate, pair.certificate).unwrap();
    fs::write(&key, pair.key).unwrap();
    let arguments = [
        "--cert",
        certificate.to_str().unwrap(),
        "--key",
        key.to_str().unwrap(),
    ];
    let command = Server::command(&home, &arguments);
    Server::spawn(home, command)
}

/// Reaches the same server, but is not written as this very machine.
fn elsewhere(server: &Server) -> String {
    format!("0.0.0.0:{}", server.port())
}

#[test]
fn a_ca_vouches_once_and_then_the_pin_decides() {
    let ca = Authority::new("city CA");
    let server = vouched_for(&ca, "0.0.0.0");
    let (address, fingerprint) = (elsewhere(&server), server.ready.fingerprint.as_str());

    // One that the system trusts, and one that is given.
    let home = Home::new();
    let first = calculate(&home, &address, Some(&ca.root_pem), &[]);
    first
        .says(0, &["a certificate authority vouches", fingerprint])
        .shows(&["3"]);
    assert!(pins(&home)[0].starts_with(&format!("{address} {fingerprint} vouched ")));
    let again = calculate(&home, &address, None, &[]);
    assert_eq!(
        (again.code, again.stderr.len()),
        (0, 0),
        "said once, and asked once"
    );

    let home = Home::new();
    fs::write(home.file("ca.pem"), &ca.root_pem).unwrap();
    calculate(
        &home,
        &address,
        None,
        &["--ca", "ca.pem", "--lang", "pt-BR"],
    )
    .says(0, &["uma autoridade certificadora responde", fingerprint])
    .shows(&["3"]);

    // Neither system nor anyone else vouches: nobody is there to ask.
    let other = Authority::new("another CA").root_pem;
    let home = Home::new();
    calculate(&home, &address, Some(&other), &[]).says(4, &["is not known here", fingerprint]);
    fs::write(home.file("other.pem"), &other).unwrap();
    // What is given stands in the place of what the system trusts.
    calculate(&home, &address, Some(&ca.root_pem), &["--ca", "other.pem"])
        .says(4, &["is not known here"]);
    for (name, content) in [("empty.pem", ""), ("nonsense.pem", "nonsense")] {
        fs::write(home.file(name), content).unwrap();
        calculate(&home, &address, None, &["--ca", name]).says(2, &[name, "--ca"]);
    }
    calculate(&home, &address, None, &["--ca", "missing.pem"]).says(2, &["missing.pem"]);
    assert_eq!(pins(&home), [""; 0]);
}

#[test]
fn a_ca_vouches_for_the_name_that_was_typed_and_for_no_other() {
    let ca = Authority::new("city CA");
    let server = vouched_for(&ca, "chat.example.org");
    let home = Home::new();
    calculate(&home, &elsewhere(&server), Some(&ca.root_pem), &[]).says(4, &["is not known here"]);
}

#[test]
fn a_man_in_the_middle_is_refused_by_who_has_pinned_the_server_whoever_vouches_for_him() {
    let server = Server::start();
    let mallory = Interceptor::before(&server, Catch::All);
    let address = mallory.address();
    let (right, his) = (&server.ready.fingerprint, mallory.fingerprint.to_string());

    // By a given fingerprint, also where his CA stands among those that the system trusts.
    for platform in [None, Some(mallory.root_pem.as_str())] {
        let home = Home::new();
        let given = ["--fingerprint", right];
        calculate(&home, &address, platform, &given)
            .says(4, &[right, &his])
            .shows(&[]);
        assert_eq!(pins(&home), [""; 0]);
    }

    // By one that is remembered: the address is Mallory's from now on.
    let home = Home::new();
    calculate(&home, &elsewhere(&server), None, &["--fingerprint", right]).says(0, &[]);
    let file = home.file("client/known_servers.json");
    let moved = fs::read_to_string(&file).unwrap();
    let moved = moved.replace(
        &format!("{}", server.port()),
        &format!("{}", mallory.address.port()),
    );
    fs::write(&file, moved).unwrap();
    for platform in [None, Some(mallory.root_pem.as_str())] {
        for arguments in [&[][..], &["--accept-new"]] {
            calculate(&home, &address, platform, arguments)
                .says(4, &["HAS CHANGED", "posing as the server", right, &his])
                .shows(&[]);
        }
    }
    assert!(!mallory.has_heard(), "he was told nothing");
}

#[test]
fn a_man_in_the_middle_of_a_first_meeting_needs_a_persons_word() {
    let server = Server::start();
    let mallory = Interceptor::before(&server, Catch::All);
    let (address, his) = (mallory.address(), mallory.fingerprint.to_string());
    let home = Home::new();
    calculate(&home, &address, None, &[])
        .says(
            4,
            &[
                "is not known here",
                &his,
                "Compare it with the one that the server shows",
            ],
        )
        .shows(&[]);
    assert_eq!(pins(&home), [""; 0]);
    assert!(!mallory.has_heard());
}

#[test]
fn one_who_lets_the_cas_word_pass_and_answers_himself_is_found_out() {
    let ca = Authority::new("city CA");
    let server = vouched_for(&ca, "0.0.0.0");
    let mallory = Interceptor::before(&server, Catch::Own);
    let (right, his) = (&server.ready.fingerprint, mallory.fingerprint.to_string());
    let home = Home::new();
    for arguments in [&[][..], &["--accept-new"], &["--lang", "pt-BR"]] {
        let refused = calculate(&home, &mallory.address(), Some(&ca.root_pem), arguments);
        refused.says(4, &[right, &his]).shows(&[]);
    }
    assert_eq!(pins(&home), [""; 0]);
    assert!(!mallory.has_heard());
}

#[test]
fn what_browsers_need_is_shown_and_done() {
    let test = "what_browsers_need_is_shown_and_done";
    if run(Home::new().clean("sh").args(["-c", "command -v certutil"])).code != 0 {
        return skip(test, "certutil not found");
    }
    let (server, home) = (Server::start(), Home::new());
    let address = server.address();
    let install =
        |arguments: &[&str]| run(home.recado(&["trust", "install", &address]).args(arguments));
    install(&[]).says(1, &[&address]).shows(&[]);
    calculate(&home, &address, None, &[]).says(0, &[]);

    let shown = install(&[]);
    shown.says(0, &["root.pem", "Chromium", "nothing else on the Internet"]);
    let url = server.ready.fingerprint.replace(':', "-");
    let saved = home.file(&format!("client/servers/{url}/root.pem"));
    assert_eq!(
        fs::read(&saved).unwrap(),
        fs::read(server.root_pem()).unwrap()
    );
    assert!(
        shown.stdout[0].starts_with("certutil -A -d sql:"),
        "{:?}",
        shown.stdout
    );
    assert!(shown.stdout.last().unwrap().starts_with("sudo "));
    assert!(!home.file(".pki").exists(), "shown, not done");

    // Done, for Chromium and for each profile of Firefox.
    let profile = home.file(".mozilla/firefox/abc.default");
    fs::create_dir_all(&profile).unwrap();
    let make = format!("sql:{}", profile.display());
    run(home
        .clean("certutil")
        .args(["-N", "-d", &make, "--empty-password"]))
    .says(0, &[]);
    let done = install(&["--apply"]);
    done.says(0, &["Done."]);
    assert_eq!(done.stdout.len(), 3);
    for database in [home.file(".pki/nssdb"), profile] {
        let database = format!("sql:{}", database.display());
        let listed = run(home.clean("certutil").args(["-L", "-d", &database]));
        assert!(
            listed
                .stdout
                .iter()
                .any(|line| line.contains(&url) && line.ends_with("C,,  "))
        );
    }
    // And the browser believes it.
    match Browser::of(home, &server) {
        Some(browser) => {
            browser.visit("/");
            assert_eq!(browser.find("h1"), "Exact sums");
        }
        None => skip(test, "chromium not found"),
    }
}
