//! The calculator as everyone else reaches it: by curl, with the root in its hand.

use std::process::Command;

use serde_json::{Value, json};

use crate::common::{Home, Server, run, skip};

/// curl, with the server's root; the answer's body and status.
struct Curl<'a> {
    home: Home,
    server: &'a Server,
}

impl Curl<'_> {
    fn fetch(&self, path: &str, arguments: &[&str]) -> Answer {
        let url = format!("https://localhost:{}{path}", self.server.port());
        self.fetch_url(&url, arguments)
    }

    fn fetch_url(&self, url: &str, arguments: &[&str]) -> Answer {
        let mut command = self.home.clean("curl");
        command
            .args(["--silent", "--show-error", "--noproxy", "*", "--cacert"])
            .arg(self.server.root_pem())
            .args([
                "--write-out",
                "\n%{http_code} %{http_version} %{content_type}",
                url,
            ])
            .args(arguments);
        let ended = run(&mut command);
        ended.says(0, &[]);
        let [body @ .., last] = ended.stdout.as_slice() else {
            panic!("curl says nothing");
        };
        let mut words = last.splitn(3, ' ').map(str::to_owned);
        let mut word = || words.next().unwrap();
        Answer {
            body: body.join("\n"),
            status: word(),
            version: word(),
            content_type: word(),
        }
    }
}

#[derive(Debug)]
struct Answer {
    body: String,
    status: String,
    version: String,
    content_type: String,
}

impl Answer {
    #[track_caller]
    fn json(&self, status: &str, content_type: &str) -> Value {
        assert_eq!(
            (&*self.status, &*self.content_type),
            (status, content_type),
            "{self:?}"
        );
        serde_json::from_str(&self.body).unwrap()
    }

    #[track_caller]
    fn problem(&self, status: &str, kind: &str) {
        let problem = self.json(status, "application/problem+json");
        assert_eq!(problem["type"], format!("/problems/{kind}"), "{problem}");
        assert_eq!(problem["status"].to_string(), status, "{problem}");
        assert!(
            problem["title"].is_string() && problem["detail"].is_string(),
            "{problem}"
        );
    }
}

/// Does curl's work, unless there is no curl.
fn with_curl(test: &str, work: impl FnOnce(Curl<'_>)) {
    if Command::new("curl").arg("--version").output().is_err() {
        return skip(test, "curl not found");
    }
    let (server, home) = (Server::start(), Home::new());
    work(Curl {
        home,
        server: &server,
    });
}

#[test]
fn curl_with_the_root_gets_an_exact_sum() {
    with_curl("curl_with_the_root_gets_an_exact_sum", |curl| {
        let expected =
            json!({"operation": "add", "x": "0.1", "y": "0.2", "result": "0.3", "exact": true});
        let path = "/v1/calc/add?x=0.1&y=0.2";
        for (arguments, version) in [
            (&[][..], "2"),
            (&["--http2"], "2"),
            (&["--http1.1"], "1.1"),
            (&["--no-alpn"], "1.1"),
        ] {
            let answer = curl.fetch(path, arguments);
            assert_eq!(answer.json("200", "application/json"), expected);
            assert_eq!(answer.version, version, "{arguments:?}");
        }
        let address = format!("https://127.0.0.1:{}{path}", curl.server.port());
        assert_eq!(
            curl.fetch_url(&address, &[])
                .json("200", "application/json"),
            expected
        );
        assert_eq!(
            curl.fetch(path, &["--header", "accept: text/plain"]).body,
            "0.3"
        );
    });
}

#[test]
fn curl_posts_json_and_forms_and_batches() {
    with_curl("curl_posts_json_and_forms_and_batches", |curl| {
        let expected =
            json!({"operation": "multiply", "x": "-1.5", "y": "2", "result": "-3", "exact": true});
        let json_type = ["--header", "content-type: application/json", "--data"];
        for data in [
            r#"{"operation":"multiply","x":"-1.50","y":"2"}"#,
            r#"{"operation":"multiplicação","x":-1.50,"y":2}"#,
        ] {
            for version in ["--http1.1", "--http2"] {
                let arguments = [&json_type[..], &[data, version]].concat();
                let answer = curl.fetch("/v1/calc", &arguments);
                assert_eq!(answer.json("200", "application/json"), expected, "{data}");
            }
        }
        let form = curl.fetch("/v1/calc", &["--data", "operation=multiply&x=-1.5&y=2"]);
        assert_eq!(form.json("200", "application/json"), expected);
        let batch = r#"[{"operation":"add","x":1,"y":2},{"operation":"divide","x":1,"y":0}]"#;
        let arguments = [&json_type[..], &[batch]].concat();
        let answers = curl
            .fetch("/v1/calc/batch", &arguments)
            .json("200", "application/json");
        assert_eq!(answers[0]["result"], "3");
        assert_eq!(answers[1]["type"], "/problems/division-by-zero");
    });
}

#[test]
fn curl_is_told_what_is_wrong() {
    with_curl("curl_is_told_what_is_wrong", |curl| {
        let json_type = ["--header", "content-type: application/json"];
        let post = |data| {
            let arguments = [&json_type[..], &["--data", data]].concat();
            curl.fetch("/v1/calc", &arguments)
        };
        curl.fetch("/nowhere", &[]).problem("404", "not-found");
        curl.fetch("/v1/calc/modulo?x=1&y=2", &[])
            .problem("404", "unknown-operation");
        curl.fetch("/v1/calc/add?x=1&y=2", &["--request", "DELETE"])
            .problem("405", "method-not-allowed");
        curl.fetch("/v1/calc", &[])
            .problem("405", "method-not-allowed");
        curl.fetch("/v1/calc/add?x=1", &[])
            .problem("400", "missing-parameter");
        curl.fetch("/v1/calc/add?x=1&y=2&z=3", &[])
            .problem("400", "unknown-parameter");
        curl.fetch("/v1/calc/add?x=1&y=two", &[])
            .problem("422", "malformed");
        curl.fetch("/v1/calc/divide?x=1&y=0", &[])
            .problem("422", "division-by-zero");
        post("{").problem("400", "malformed-json");
        post("{}").problem("400", "missing-parameter");
        post(r#"{"operation":"modulo","x":1,"y":2}"#).problem("422", "unknown-operation");
        post(r#"{"operation":"add","x":[],"y":2}"#).problem("422", "wrong-type");
        post(&"x".repeat(70_000)).problem("413", "body-too-large");

        // The kinds of problems say what they mean.
        let answer = curl.fetch("/problems/division-by-zero", &[]);
        assert_eq!(answer.status, "200");
        assert!(!answer.body.is_empty());
    });
}

#[test]
fn a_refusal_that_needs_no_body_reaches_one_who_sent_a_body() {
    with_curl(
        "a_refusal_that_needs_no_body_reaches_one_who_sent_a_body",
        |curl| {
            let accept = ["--header", "accept: image/png"];
            // Again and again, because it is a race: the refusal may come before the body has been read.
            for version in ["--http1.1", "--http2"].repeat(8) {
                let post = |path, arguments: &[&str]| {
                    curl.fetch(path, &[&["--data", "x=1", version], arguments].concat())
                };
                let plain = ["--header", "content-type: text/plain"];
                post("/v1/calc", &plain).problem("415", "unsupported-media-type");
                post("/nowhere", &[]).problem("404", "not-found");
                post("/v1/calc/add", &[]).problem("405", "method-not-allowed");
                post("/v1/calc?x=1", &[]).problem("400", "unknown-parameter");
                post("/v1/calc", &accept).problem("406", "not-acceptable");
            }
        },
    );
}

#[test]
fn curl_without_https_is_shown_the_way() {
    with_curl("curl_without_https_is_shown_the_way", |curl| {
        let port = curl.server.port();
        let answer = curl.fetch_url(&format!("http://localhost:{port}/v1/calc/add?x=1&y=2"), &[]);
        answer.problem("400", "https-required");
        assert!(
            answer.body.contains(&format!("https://HOST:{port}/")),
            "{answer:?}"
        );
    });
}

#[test]
fn curl_fetches_the_root_that_the_data_folder_has() {
    with_curl("curl_fetches_the_root_that_the_data_folder_has", |curl| {
        let answer = curl.fetch("/root.pem", &[]);
        assert_eq!(answer.status, "200");
        assert_eq!(answer.content_type, "application/pem-certificate-chain");
        let file = std::fs::read_to_string(curl.server.root_pem()).unwrap();
        assert_eq!(answer.body.trim(), file.trim());
    });
}

#[test]
fn curl_without_the_root_trusts_nobody() {
    with_curl("curl_without_the_root_trusts_nobody", |curl| {
        let url = format!("https://localhost:{}/root.pem", curl.server.port());
        let mut command = curl.home.clean("curl");
        // 60: the peer's certificate cannot be verified.
        run(command.args(["--silent", "--noproxy", "*", &url]))
            .says(60, &[])
            .shows(&[]);
    });
}
