//! A certificate of another root for browsers and curl; recado's own clients see recado's own all the same.

use std::fs;
use std::path::Path;

use recado_proto::alpn;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::common::{Authority, Bot, Home, Pair, Server, run, served, skip};

fn put(home: &Home, pair: &Pair) {
    // Replaced at once each, as careful tools do.
    for (name, content) in [("cert.pem", &pair.certificate), ("key.pem", &pair.key)] {
        fs::write(home.file("new"), content).unwrap();
        fs::rename(home.file("new"), home.file(name)).unwrap();
    }
}

fn leaf(pair: &Pair) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()
}

fn serve(home: Home) -> Server {
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| home.file(name));
    let arguments = [
        "--cert",
        certificate.to_str().unwrap(),
        "--key",
        key.to_str().unwrap(),
    ];
    let command = Server::command(&home, &arguments);
    Server::spawn(home, command)
}

/// What browsers are shown.
fn shown(server: &Server) -> CertificateDer<'static> {
    served(
        server.socket(),
        "chat.example.org",
        &[alpn::H2, alpn::HTTP_1_1],
    )
    .remove(0)
}

#[test]
fn a_new_pair_is_served_live_and_a_bad_one_is_not() {
    let ca = Authority::new("school CA");
    let [first, second, third] = [(); 3].map(|()| ca.issue(&["chat.example.org"]));
    let home = Home::new();
    let folder = home.path().to_owned();
    put(&home, &first);
    let server = serve(home);
    assert_eq!(shown(&server), leaf(&first));
    // No protocol named is a browser of old, or curl.
    assert_eq!(served(server.socket(), "other", &[])[0], leaf(&first));

    // recado's own protocols have recado's own leaf, and its clients notice nothing.
    let root = CertificateDer::from_pem_file(server.root_pem()).unwrap();
    for own in [alpn::HTTP, alpn::CHAT] {
        let chain = served_to_a_client(&server, own);
        assert_eq!(chain[1], root);
    }
    let people = Home::new();
    let mut alice = Bot::join(&people, &server.address(), "Alice");

    let written = |pair: &Pair| {
        fs::write(folder.join("cert.pem"), &pair.certificate).unwrap();
        fs::write(folder.join("key.pem"), &pair.key).unwrap();
    };
    written(&second);
    server.program.stderr.find("a new certificate is in use");
    assert_eq!(shown(&server), leaf(&second));

    // Half a pair, nonsense, and nothing: the good one stays.
    fs::write(folder.join("key.pem"), &third.key).unwrap();
    server.program.stderr.find("do not go together");
    fs::write(folder.join("cert.pem"), "nonsense").unwrap();
    server
        .program
        .stderr
        .find("the certificate before stays in use");
    fs::remove_file(folder.join("cert.pem")).unwrap();
    server.program.stderr.find("cannot be read");
    assert_eq!(shown(&server), leaf(&second));

    written(&third);
    server.program.stderr.find("a new certificate is in use");
    assert_eq!(shown(&server), leaf(&third));

    alice.say_to_all("still here");
    assert_eq!(alice.find("global")["text"], "still here");
}

/// `recado/1` asks for a certificate after the server has shown its own; nothing more is wanted here.
fn served_to_a_client(server: &Server, protocol: &[u8]) -> Vec<CertificateDer<'static>> {
    served(server.socket(), "recado.internal", &[protocol])
}

#[test]
fn a_pair_that_is_none_is_refused_at_the_start() {
    let ca = Authority::new("school CA");
    let (pair, other) = (ca.issue(&["a.example"]), ca.issue(&["a.example"]));
    let home = Home::new();
    let path = |name: &str| home.file(name).to_str().unwrap().to_owned();
    put(&home, &pair);
    fs::write(home.file("other.pem"), other.key).unwrap();
    for (key, said) in [
        ("other.pem", "do not go together"),
        ("none.pem", "none.pem cannot be read"),
    ] {
        let arguments = ["--cert", &path("cert.pem"), "--key", &path(key)];
        run(&mut Server::command(&home, &arguments))
            .says(1, &[said])
            .shows(&[]);
    }
    for lonely in [["--cert", &path("cert.pem")], ["--key", &path("key.pem")]] {
        run(&mut Server::command(&home, &lonely))
            .says(2, &["--"])
            .shows(&[]);
    }
}

#[test]
fn curl_trusts_the_ca_and_is_told_to_come_by_https_alone() {
    if run(Home::new().clean("sh").args(["-c", "command -v curl"])).code != 0 {
        let test = "curl_trusts_the_ca_and_is_told_to_come_by_https_alone";
        return skip(test, "curl not found");
    }
    let ca = Authority::new("school CA");
    let home = Home::new();
    put(&home, &ca.issue(&["chat.example.org"]));
    fs::write(home.file("ca.pem"), &ca.root_pem).unwrap();
    let root = home.file("ca.pem");
    let server = serve(home);
    let elsewhere = Home::new();
    let curl = |host: &str, root: &Path| {
        let resolve = format!("{host}:{}:127.0.0.1", server.port());
        let url = format!("https://{host}:{}/v1/calc/add?x=1&y=2", server.port());
        let mut command = elsewhere.clean("curl");
        command
            .args(["--silent", "--noproxy", "*", "--dump-header", "-"])
            .args(["--resolve", &resolve, &url, "--cacert"])
            .arg(root);
        run(&mut command)
    };
    let answer = curl("chat.example.org", &root);
    answer.says(0, &[]);
    let answer = answer.stdout.join("\n");
    assert!(
        answer.contains("\nstrict-transport-security: max-age="),
        "{answer}"
    );
    // By recado's own root nobody is reached any more, but by recado's own client.
    curl("localhost", &server.root_pem()).says(60, &[]);
}
