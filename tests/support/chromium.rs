//! Chromium, driven over the DevTools protocol on two pipes: JSON messages, each terminated by a NUL.
//!
//! No crate does this here: `chromiumoxide` and `headless_chrome` parse messages through an untagged enum, which reads no fraction while
//! `serde_json` has `arbitrary_precision`; events with a timestamp, and with them the console errors, would be dropped in silence.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// Longer than any command takes.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Paths of the executable in Linux distributions.
const PATHS: [&str; 3] = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/// Chromium reads commands from file descriptor 3 and writes messages to 4.
const SHELL: &str = r#"exec "$0" "$@" --remote-debugging-pipe 3<&0 4>&1 0</dev/null 1>/dev/null 2>&1"#;

const SWITCHES: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--hide-scrollbars",
    "about:blank",
];

/// A headless browser with one page.
pub struct Browser {
    child: Child,
    input: ChildStdin,
    output: Receiver<Value>,
    calls: u64,
    session: Option<String>,
    loads: usize,
    /// Messages of the console and the audits: a violated policy, a failed script, a missing file.
    pub console_errors: Vec<String>,
    _profile: tempfile::TempDir,
}

impl Browser {
    pub fn start() -> Self {
        let program = PATHS.into_iter().find(|name| std::path::Path::new(name).exists());
        let program = program.expect("Chromium: please install it; `CI=1 ./test` does on Debian and Ubuntu");
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut child = Command::new("sh")
            .args(["-c", SHELL, program])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(SWITCHES)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let input = child.stdin.take().expect("a pipe");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut text = Vec::new();
            while lines.read_until(0, &mut text).is_ok_and(|length| length > 0) {
                text.pop();
                let Ok(message) = serde_json::from_slice(&text) else { break };
                text.clear();
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let console_errors = Vec::new();
        let mut browser = Self { child, input, output, calls: 0, session: None, loads: 0, console_errors, _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let session = browser.call("Target.attachToTarget", json!({ "targetId": target["targetId"], "flatten": true }));
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "DOM", "CSS", "Log", "Runtime", "Audits", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Calls a method and waits for its result.
    #[expect(clippy::needless_pass_by_value, reason = "callers pass a literal")]
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.input.write_all(format!("{message}\0").as_bytes()).expect("the browser runs");
        loop {
            let message = self.receive();
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
        }
    }

    fn receive(&mut self) -> Value {
        let message = self.output.recv_timeout(TIMEOUT).expect("a message from the browser");
        let parameters = &message["params"];
        let console_error = match message["method"].as_str() {
            Some("Page.loadEventFired") => {
                self.loads += 1;
                None
            }
            Some("Log.entryAdded") => Some(&parameters["entry"]["text"]),
            Some("Runtime.consoleAPICalled") => Some(&parameters["args"]),
            Some("Runtime.exceptionThrown") => Some(&parameters["exceptionDetails"]),
            Some("Audits.issueAdded") => Some(&parameters["issue"]),
            _ => None,
        };
        self.console_errors.extend(console_error.map(ToString::to_string));
        message
    }

    /// Runs a navigation and waits until its page has loaded.
    pub fn load(&mut self, navigate: impl FnOnce(&mut Self)) {
        let before = self.loads;
        navigate(self);
        while self.loads == before {
            self.receive();
        }
    }

    pub fn open(&mut self, url: &str) {
        self.load(|browser| {
            let opened = browser.call("Page.navigate", json!({ "url": url }));
            assert!(opened["errorText"].is_null(), "{opened}");
        });
    }

    /// The first element that matches a selector.
    fn element(&mut self, selector: &str) -> Option<Value> {
        let document = self.call("DOM.getDocument", json!({}));
        let found = self.call("DOM.querySelector", json!({ "nodeId": document["root"]["nodeId"], "selector": selector }));
        Some(found["nodeId"].clone()).filter(|node| node != 0)
    }

    pub fn has(&mut self, selector: &str) -> bool {
        self.element(selector).is_some()
    }

    /// The markup of an element as the browser parsed it.
    pub fn markup(&mut self, selector: &str) -> String {
        let node = self.element(selector).unwrap_or_else(|| panic!("no {selector}"));
        self.call("DOM.getOuterHTML", json!({ "nodeId": node }))["outerHTML"].as_str().expect("markup").to_owned()
    }

    /// The computed value of an element's property.
    pub fn style(&mut self, selector: &str, property: &str) -> String {
        let node = self.element(selector).unwrap_or_else(|| panic!("no {selector}"));
        let styles = self.call("CSS.getComputedStyleForNode", json!({ "nodeId": node }))["computedStyle"].clone();
        let style = styles.as_array().into_iter().flatten().find(|style| style["name"] == property).expect("the property");
        style["value"].to_string()
    }

    /// Clicks the center of an element with the mouse.
    pub fn click(&mut self, selector: &str) {
        let node = self.element(selector).unwrap_or_else(|| panic!("no {selector}"));
        self.call("DOM.scrollIntoViewIfNeeded", json!({ "nodeId": node }));
        let quad = self.call("DOM.getContentQuads", json!({ "nodeId": node }))["quads"][0].clone();
        let middle = |one: usize, other: usize| {
            let [one, other] = [one, other].map(|place| quad[place].as_f64().expect("a coordinate"));
            f64::midpoint(one, other)
        };
        for kind in ["mousePressed", "mouseReleased"] {
            let place = json!({ "type": kind, "x": middle(0, 4), "y": middle(1, 5), "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", place);
        }
    }

    /// Types a text into a field and submits its form with Enter.
    pub fn search(&mut self, selector: &str, text: &str) {
        self.click(selector);
        self.call("Input.insertText", json!({ "text": text }));
        self.load(|browser| {
            for kind in ["keyDown", "keyUp"] {
                let key = json!({ "type": kind, "key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13 });
                browser.call("Input.dispatchKeyEvent", key);
            }
        });
    }

    /// Sets the width of the window and the color scheme.
    pub fn set_viewport(&mut self, width: u32, is_dark: bool) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", features);
    }

    /// Saves a screenshot of the whole page.
    pub fn screenshot(&mut self, name: &str) {
        let clip = self.size();
        let capture = self.call("Page.captureScreenshot", json!({ "captureBeyondViewport": true, "clip": clip }));
        let bytes = STANDARD.decode(capture["data"].as_str().expect("an image")).expect("base64");
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(format!("{name}.png")), bytes).expect("a file");
    }

    /// The size of the whole page, as a clip for a screenshot.
    pub fn size(&mut self) -> Value {
        let size = self.call("Page.getLayoutMetrics", json!({}))["cssContentSize"].clone();
        json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 })
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
