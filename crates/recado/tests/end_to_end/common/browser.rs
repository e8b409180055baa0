//! Chromium without a screen, driven by its DevTools protocol over a pair of pipes.

use std::cell::{Cell, RefCell};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::{Value, json};

use super::{Home, Killed, PATIENCE, Server};

/// A browser with one page.
pub(crate) struct Browser {
    commands: RefCell<File>,
    messages: Receiver<Value>,
    next: Cell<u64>,
    session: RefCell<Option<String>>,
    /// What the page did in the meantime.
    events: RefCell<Vec<Value>>,
    address: String,
    _process: Killed,
    _home: Home,
}

impl Browser {
    /// One that trusts this server's root. `None` where there is no Chromium.
    pub(crate) fn open(server: &Server, language: &str) -> Option<Self> {
        // The browser's switch wants the key's hash in base64: what a fingerprint is in base64url.
        let fingerprint = server.ready.fingerprint.strip_prefix("SHA256:").unwrap();
        let hash = STANDARD.encode(URL_SAFE_NO_PAD.decode(fingerprint).unwrap());
        let trust = format!("--ignore-certificate-errors-spki-list={hash}");
        Self::launch(Home::new(), server, language, &[&trust])
    }

    /// The browser of a person's, which trusts what was installed for it.
    pub(crate) fn of(home: Home, server: &Server) -> Option<Self> {
        Self::launch(home, server, "en", &[])
    }

    fn launch(home: Home, server: &Server, language: &str, switches: &[&str]) -> Option<Self> {
        Command::new("chromium")
            .arg("--version")
            .output()
            .ok()
            .filter(|output| output.status.success())?;
        let [commands, messages] = ["commands", "messages"].map(|name| home.file(name));
        for pipe in [&commands, &messages] {
            mkfifo(pipe, Mode::S_IRWXU).unwrap();
        }
        let mut command = home.clean("sh");
        command
            .args(["-c", "exec chromium \"$@\" 3<commands 4>messages", "sh"])
            .args(["--headless", "--remote-debugging-pipe", "--no-first-run"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .args(["--disable-dev-shm-usage", "--disable-gpu"])
            .arg(format!(
                "--user-data-dir={}",
                home.file("browser").display()
            ))
            .args(switches);
        if nix::unistd::geteuid().is_root() {
            command.arg("--no-sandbox");
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = Killed(command.spawn().unwrap());
        let commands = OpenOptions::new().write(true).open(commands).unwrap();
        let (sender, messages_read) = channel();
        let pipe = File::open(messages).unwrap();
        thread::spawn(move || {
            for message in BufReader::new(pipe).split(0).map_while(Result::ok) {
                if sender
                    .send(serde_json::from_slice(&message).unwrap())
                    .is_err()
                {
                    return;
                }
            }
        });
        let browser = Self {
            commands: RefCell::new(commands),
            messages: messages_read,
            next: Cell::new(1),
            session: RefCell::new(None),
            events: RefCell::default(),
            address: format!("https://localhost:{}", server.port()),
            _process: process,
            _home: home,
        };
        let page = browser.ask("Target.createTarget", json!({"url": "about:blank"}));
        let target = json!({"targetId": page["targetId"], "flatten": true});
        let attached = browser.ask("Target.attachToTarget", target);
        let session = attached["sessionId"].as_str().unwrap().to_owned();
        *browser.session.borrow_mut() = Some(session);
        for domain in ["Page", "Runtime", "Log", "Network", "Accessibility"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        let headers = json!({"headers": {"Accept-Language": language}});
        browser.ask("Network.setExtraHTTPHeaders", headers);
        Some(browser)
    }

    /// Gives a command, and waits for its result.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, parameters: Value) -> Value {
        let id = self.next.replace(self.next.get() + 1);
        let mut command = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = &*self.session.borrow() {
            command["sessionId"] = session.as_str().into();
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        self.commands.borrow_mut().write_all(&bytes).unwrap();
        loop {
            let mut message = self.message();
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].take();
            }
            self.events.borrow_mut().push(message);
        }
    }

    #[track_caller]
    fn message(&self) -> Value {
        self.messages
            .recv_timeout(PATIENCE)
            .expect("the browser does not answer")
    }

    /// Opens a path of the server's, and waits until it is there whole.
    #[track_caller]
    pub(crate) fn visit(&self, path: &str) {
        let url = format!("{}{path}", self.address);
        let visited = self.ask("Page.navigate", json!({"url": url}));
        assert!(visited["errorText"].is_null(), "{visited}");
        loop {
            let message = self.message();
            let is_there = message["method"] == "Page.loadEventFired";
            self.events.borrow_mut().push(message);
            if is_there {
                return;
            }
        }
    }

    /// The value of an expression in the page; of a promise, what it comes to.
    #[track_caller]
    pub(crate) fn evaluate(&self, expression: &str) -> Value {
        let parameters =
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut evaluated = self.ask("Runtime.evaluate", parameters);
        assert!(
            evaluated["exceptionDetails"].is_null(),
            "{expression}: {evaluated}"
        );
        evaluated["result"]["value"].take()
    }

    /// Waits until an element is there, and gives its text.
    #[track_caller]
    pub(crate) fn find(&self, selector: &str) -> String {
        let found = self.evaluate(&format!(
            "new Promise((done) => {{
                const look = () => {{
                    const found = document.querySelector({selector:?});
                    found ? done(found.innerText) : requestAnimationFrame(look);
                }};
                look();
            }})"
        ));
        found.as_str().unwrap().to_owned()
    }

    /// Types text, key by key.
    #[track_caller]
    pub(crate) fn write(&self, text: &str) {
        for c in text.chars() {
            self.key(&c.to_string(), 0, &c.to_string());
        }
    }

    /// Presses a key that has a name.
    #[track_caller]
    pub(crate) fn press(&self, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            " " => (32, " "),
            "ArrowRight" => (39, ""),
            other => panic!("what is the code of {other}?"),
        };
        self.key(key, code, text);
    }

    #[track_caller]
    fn key(&self, key: &str, code: u32, text: &str) {
        let mut event = json!({"type": "keyDown", "key": key, "code": key, "text": text,
            "windowsVirtualKeyCode": code});
        self.ask("Input.dispatchKeyEvent", event.clone());
        event["type"] = "keyUp".into();
        self.ask("Input.dispatchKeyEvent", event);
    }

    /// The width of the window, and whether it is dark.
    #[track_caller]
    pub(crate) fn look(&self, width: u32, scheme: &str) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.ask("Emulation.setDeviceMetricsOverride", size);
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.ask("Emulation.setEmulatedMedia", features);
    }

    /// Writes what is to be seen to a file, for people to look at.
    #[track_caller]
    pub(crate) fn screenshot(&self, name: &str) {
        let shot = self.ask("Page.captureScreenshot", json!({}));
        let png = STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        assert!(png.starts_with(b"\x89PNG"));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        std::fs::write(folder.join(format!("{name}.png")), png).unwrap();
    }

    /// Fails if the page complained of anything, or asked for anything from elsewhere.
    #[track_caller]
    pub(crate) fn is_content(&self) {
        for event in &*self.events.borrow() {
            let method = event["method"].as_str().unwrap_or_default();
            let complaint = [
                "Log.entryAdded",
                "Runtime.exceptionThrown",
                "Runtime.consoleAPICalled",
            ];
            // A refusal of the API's is an answer.
            let entry = &event["params"]["entry"]["url"];
            let is_refusal = entry.as_str().is_some_and(|url| url.contains("/v1/calc"));
            assert!(!complaint.contains(&method) || is_refusal, "{event}");
            if method == "Network.requestWillBeSent" {
                let url = event["params"]["request"]["url"].as_str().unwrap();
                assert!(url.starts_with(&self.address), "{url}");
            }
        }
    }
}
