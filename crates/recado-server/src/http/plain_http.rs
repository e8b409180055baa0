//! The answer for a client that speaks plain HTTP to the TLS port.

use super::problem::{self, Problem};
use super::reply::{CONTENT_SECURITY_POLICY, PROBLEM_JSON, REFERRER_POLICY, RESOURCE_POLICY};

/// The complete answer (status line, headers and body) for a client that speaks plain HTTP to the
/// TLS port `port`: a 400 problem that names https. Whatever was asked, it is the same, and the
/// connection is to be closed after it.
pub fn plain_http_answer(port: u16) -> Vec<u8> {
    let port = if port == 443 {
        String::new()
    } else {
        format!(":{port}")
    };
    let problem = Problem::new(
        &problem::HTTPS_REQUIRED,
        format!("This port speaks HTTPS only. Use https://HOST{port}/ in place of http://."),
    );
    let body = problem.to_json();
    let mut answer = format!(
        "HTTP/1.1 400 Bad Request\r\n\
         content-type: {PROBLEM_JSON}\r\n\
         content-length: {}\r\n\
         cache-control: no-store\r\n\
         x-content-type-options: nosniff\r\n\
         content-security-policy: {CONTENT_SECURITY_POLICY}\r\n\
         referrer-policy: {REFERRER_POLICY}\r\n\
         cross-origin-resource-policy: {RESOURCE_POLICY}\r\n\
         connection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    answer
}

#[cfg(test)]
mod tests {
    use super::plain_http_answer;

    #[test]
    fn the_answer_is_complete_and_names_https() {
        for (port, place) in [(8443, "https://HOST:8443/"), (443, "https://HOST/")] {
            let answer = String::from_utf8(plain_http_answer(port)).unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
            assert!(head.contains("\r\nconnection: close"), "{head}");
            assert!(
                head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())),
                "{head}"
            );
            assert!(
                head.contains("\r\ncontent-type: application/problem+json\r\n"),
                "{head}"
            );
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(body["type"], "/problems/https-required");
            assert_eq!(body["status"], 400);
            assert!(body["detail"].as_str().unwrap().contains(place), "{body}");
        }
    }
}
