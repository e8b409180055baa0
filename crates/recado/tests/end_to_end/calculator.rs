//! `recado calc`: everything as arguments, and the seed's conversation.

use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, socket};
use serde_json::{Value, json};

use crate::common::{Ended, Home, Server, run, run_with};

const METHOD_PT: &str = "Tipo de requisição (GET ou POST):";
const OPERATION_PT: &str = "Operação (soma, subtração, multiplicação ou divisão):";
const AGAIN_PT: &str = "Outro cálculo? (s/N)";

/// `recado calc` with these arguments.
#[track_caller]
fn calc(home: &Home, server: &Server, arguments: &[&str]) -> Ended {
    let mut command = home.recado(&["calc", "--server", &server.address()]);
    run(command.args(arguments))
}

/// The seed's conversation, with these answers.
#[track_caller]
fn converse(home: &Home, server: &Server, lang: &str, answers: &str) -> Ended {
    let arguments = ["calc", "--server", &server.address(), "--lang", lang];
    run_with(&mut home.recado(&arguments), answers)
}

#[test]
fn calculations_as_arguments_print_the_bare_result() {
    let (server, home) = (Server::start(), Home::new());
    for (arguments, result) in [
        (&["add", "0.1", "0.2"][..], "0.3"),
        (&["get", "soma", "0.1", "0.2"], "0.3"),
        (&["GET", "Subtração", "1", "3"], "-2"),
        (&["post", "multiplicacao", "1e3", "12"], "12000"),
        (&["Post", "divisão", "1", "8"], "0.125"),
        (
            &["divide", "1", "3"],
            "0.3333333333333333333333333333333333",
        ),
        (&["divide", "2", "3", "--precision", "3"], "0.667"),
        (&["post", "divide", "2", "3", "--precision", "3"], "0.667"),
        (&["--precision", "3", "divide", "2", "3"], "0.667"),
        (&["+", "1", "2"], "3"),
        (&["-", "1", "2"], "-1"),
        (&["*", "-3", "-.5"], "1.5"),
        (&["post", "-", "-1", "-2"], "1"),
        (&["get", "/", "-1", "4"], "-0.25"),
        (&["add", "-1e-3", "+1"], "0.999"),
        (
            &["multiply", "99999999999999999999", "99999999999999999999"],
            "9999999999999999999800000000000000000001",
        ),
    ] {
        let ended = calc(&home, &server, arguments);
        assert_eq!(
            (ended.code, ended.stdout.join("\n").as_str()),
            (0, result),
            "{arguments:?}: {}",
            ended.transcript
        );
    }
}

#[test]
fn portuguese_writes_a_decimal_comma_and_results_a_point() {
    let (server, home) = (Server::start(), Home::new());
    for (arguments, result) in [
        (["soma", "0,1", "0,2"], "0.3"),
        (["subtração", "-1,5", "-,5"], "-1"),
        // As an argument a point is a point.
        (["soma", "1.125", "0"], "1.125"),
    ] {
        let mut with_language = vec!["--lang", "pt-BR"];
        with_language.extend(arguments);
        calc(&home, &server, &with_language)
            .says(0, &[])
            .shows(&[result]);
    }
    // English has none.
    calc(&home, &server, &["add", "0,1", "0,2"])
        .says(1, &["x: ", "decimal point"])
        .shows(&[]);
}

#[test]
fn output_json_is_the_services_object() {
    let (server, home) = (Server::start(), Home::new());
    for method in ["get", "post"] {
        let ended = calc(
            &home,
            &server,
            &[method, "soma", "0.10", "0.2", "--output", "json"],
        );
        ended.says(0, &[]);
        let object: Value = serde_json::from_str(&ended.stdout.join("\n")).unwrap();
        let expected =
            json!({"operation": "add", "x": "0.1", "y": "0.2", "result": "0.3", "exact": true});
        assert_eq!(object, expected);
    }
    let ended = calc(
        &home,
        &server,
        &["divide", "1", "3", "--output", "json", "--precision", "5"],
    );
    assert_eq!(ended.stdout.len(), 1, "one line");
    let object: Value = serde_json::from_str(&ended.stdout[0]).unwrap();
    let expected = json!({
        "operation": "divide", "x": "1", "y": "3", "result": "0.33333", "exact": false,
        "fraction": "1/3", "repeating": "0.(3)",
    });
    assert_eq!(object, expected);
}

#[test]
fn what_the_service_refuses_ends_with_1() {
    let (server, home) = (Server::start(), Home::new());
    for method in ["get", "post"] {
        for (arguments, reason) in [
            (["divide", "1", "0"], "cannot be divided by zero"),
            (["modulo", "1", "2"], "there is no operation \"modulo\""),
            (["add", "1", "two"], "y: "),
            (["add", "", "2"], "x: "),
            (["add", "NaN", "2"], "not a number"),
            (["add", "1e99999", "2"], "exponent is beyond 10000"),
            (["add", &"9".repeat(1_001), "2"], "more than 1000 digits"),
            (["../../etc", "1", "2"], "there is no operation"),
        ] {
            let mut with_method = vec![method];
            with_method.extend(arguments);
            let ended = calc(&home, &server, &with_method);
            ended.says(1, &[reason]).shows(&[]);
        }
        for precision in ["0", "1001", "x", "1.5"] {
            let arguments = [method, "divide", "1", "3", "--precision", precision];
            calc(&home, &server, &arguments)
                .says(1, &["precision"])
                .shows(&[]);
        }
    }
}

#[test]
fn wrong_use_ends_with_2_and_asks_no_server() {
    let (server, home) = (Server::start(), Home::new());
    for arguments in [
        &["add"][..],
        &["add", "1"],
        &["get", "add", "1"],
        &["post"],
        &["add", "1", "2", "3"],
        &["put", "add", "1", "2"],
        &["get", "add", "1", "2", "3"],
        &["add", "1", "2", "--output", "xml"],
        &["add", "1", "2", "--nonsense"],
    ] {
        calc(&home, &server, arguments).says(2, &[]).shows(&[]);
    }
    assert!(!home.file("client/known_servers.json").exists());
}

#[test]
fn where_nobody_listens_it_ends_with_3() {
    // Bound, so that nobody else gets it, and not listening.
    let closed = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::empty(),
        None,
    )
    .unwrap();
    let any = SockaddrIn::from(std::net::SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));
    bind(closed.as_raw_fd(), &any).unwrap();
    let port = getsockname::<SockaddrIn>(closed.as_raw_fd())
        .unwrap()
        .port();
    let (home, address) = (Home::new(), format!("127.0.0.1:{port}"));
    for (lang, says) in [
        ("en", "nobody listens there"),
        ("pt-BR", "ninguém escuta ali"),
    ] {
        let arguments = [
            "calc", "add", "1", "2", "--server", &address, "--lang", lang,
        ];
        run(&mut home.recado(&arguments))
            .says(3, &[&address, says])
            .shows(&[]);
    }
    let arguments = ["calc", "add", "1", "2", "--server", "nowhere.invalid:1"];
    run(&mut home.recado(&arguments))
        .says(3, &["nowhere.invalid"])
        .shows(&[]);
}

#[test]
fn what_answers_and_is_not_recado_ends_with_3() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let web = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]);
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
    });
    let arguments = ["calc", "add", "1", "2", "--server", &address];
    run(&mut Home::new().recado(&arguments))
        .says(3, &["no recado server", "web server without encryption"])
        .shows(&[]);
    web.join().unwrap();
}

#[test]
fn the_seeds_conversation() {
    let (server, home) = (Server::start(), Home::new());
    let ended = converse(&home, &server, "pt-BR", "GET\nsoma\n0,1\n0,2\n\n");
    ended.says(0, &[]);
    ended.shows(&[
        METHOD_PT,
        OPERATION_PT,
        "x:",
        "y:",
        "Resultado: 0.3",
        AGAIN_PT,
    ]);

    let ended = converse(&home, &server, "en", "post\nDIVIDE\n1\n-8\nn\n");
    ended.says(0, &[]);
    ended.shows(&[
        "Request type (GET or POST):",
        "Operation (add, subtract, multiply or divide):",
        "x:",
        "y:",
        "Result: -0.125",
        "Another calculation? (y/N)",
    ]);
}

#[test]
fn another_calculation_as_long_as_the_answer_is_yes() {
    let (server, home) = (Server::start(), Home::new());
    let answers = "get\n+\n1\n2\ns\npost\ndivisão\n1\n0\nSIM\nPOST\nmultiplicacao\n-2\n3\nnão\n";
    let ended = converse(&home, &server, "pt-BR", answers);
    // What the service refuses ends the calculation and not the conversation.
    ended.says(0, &["um número não pode ser dividido por zero"]);
    ended.shows(&[
        METHOD_PT,
        OPERATION_PT,
        "x:",
        "y:",
        "Resultado: 3",
        AGAIN_PT,
        METHOD_PT,
        OPERATION_PT,
        "x:",
        "y:",
        AGAIN_PT,
        METHOD_PT,
        OPERATION_PT,
        "x:",
        "y:",
        "Resultado: -6",
        AGAIN_PT,
    ]);
}

#[test]
fn an_answer_that_makes_no_sense_is_asked_for_again() {
    let (server, home) = (Server::start(), Home::new());
    let answers = "PUT\n\nget\nraiz\n\nsoma\n\n1.125\n1,125\n-999.000\n,5\n";
    let ended = converse(&home, &server, "pt-BR", answers);
    ended.says(
        0,
        &[
            "escreva GET ou POST",
            "escreva soma, subtração, multiplicação ou divisão",
            "escreva um número",
            "pode ser lido de duas maneiras; escreva 1,125 ou 1125",
            "pode ser lido de duas maneiras; escreva -999,000 ou -999000",
        ],
    );
    ended.shows(&[
        METHOD_PT,
        METHOD_PT,
        METHOD_PT,
        OPERATION_PT,
        OPERATION_PT,
        OPERATION_PT,
        "x:",
        "x:",
        "x:",
        "y:",
        "y:",
        "Resultado: 1.625",
        AGAIN_PT,
    ]);
    // In English a point is a point.
    let ended = converse(&home, &server, "en", "get\nadd\n1.125\n0\n");
    assert!(
        ended.stdout.contains(&"Result: 1.125".to_owned()),
        "{:?}",
        ended.stdout
    );
}

#[test]
fn the_end_of_the_input_ends_the_conversation_wherever_it_comes() {
    let (server, home) = (Server::start(), Home::new());
    for (answers, prompts) in [
        ("", 1),
        ("get\n", 2),
        ("get\nsoma\n1\n", 4),
        ("get\nsoma\n1\n2", 6),
    ] {
        let ended = converse(&home, &server, "pt-BR", answers);
        ended.says(0, &[]);
        assert_eq!(
            ended.stdout.len(),
            prompts,
            "{answers:?}: {:?}",
            ended.stdout
        );
    }
}

#[test]
fn quiet_leaves_nothing_but_the_result() {
    let (server, home) = (Server::start(), Home::new());
    let mut command = home.recado(&["calc", "--quiet", "--server", &server.address()]);
    let ended = run_with(&mut command, "get\nadd\n1\n2\n");
    ended.says(0, &[]).shows(&["Result: 3"]);
    assert_eq!(ended.stderr, [""; 0]);
}
