//! The command line, as a user meets it.

mod support;

use std::time::Duration;

use support::{Program, run};

#[test]
fn every_mistake_is_a_line_and_the_code_is_2() {
    let args = ["serve", "--listen", "8080", "--replica", "here", "--head-size", "huge"];
    let ended = run(&args, &[("DIVISI_POLICY", "fastest"), ("DIVISI_WORKERS", "")]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(ended.stdout, "");
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert!(lines.iter().all(|line| line.starts_with("error: --")), "{lines:#?}");
    assert!(ended.stderr.contains("--policy \"fastest\" (from DIVISI_POLICY): "), "{lines:#?}");
}

#[test]
fn a_variable_that_sets_nothing_is_warned_of() {
    let args = ["--listen", "127.0.0.1:0", "--replica", "127.0.0.1:9"];
    let divisi = Program::start_with(&args, &[("DIVISI_HODL", "5s")]);
    assert!(divisi.log().contains("DIVISI_HODL sets nothing; did you mean DIVISI_HOLD?"), "{}", divisi.log());
}

#[test]
fn an_unknown_flag_is_refused_with_code_2() {
    let ended = run(&["--lissten", ":0"], &[]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("--listen"), "no suggestion: {}", ended.stderr);
}

#[test]
fn help_and_version_are_answers_and_not_errors() {
    for args in [["--help"], ["--version"], ["version"]] {
        let ended = run(&args, &[]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{args:?}");
        assert!(ended.stdout.contains(if args == ["--help"] { "DIVISI_LISTEN" } else { "divisi 0." }), "{args:?}");
    }
    assert_eq!(run(&["version"], &[]).stdout, run(&["--version"], &[]).stdout);
}

#[test]
fn completions_and_manual_are_printed() {
    assert!(run(&["completions", "bash"], &[]).stdout.contains("complete -F _divisi"));
    assert!(run(&["man"], &[]).stdout.contains(".TH divisi 1"));
}

#[test]
fn a_name_without_an_address_ends_the_program_with_code_1() {
    let ended = run(&["--listen", "127.0.0.1:0", "--replica", "no-such-host.invalid:80"], &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("no-such-host.invalid:80"), "{ended:?}");
}

#[test]
fn a_port_that_is_taken_ends_the_program_with_code_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let addr = taken.local_addr().expect("bound").to_string();
    let ended = run(&["--listen", &addr, "--replica", "127.0.0.1:9"], &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(&addr), "{ended:?}");
}

#[test]
fn the_old_programs_flag_serves_and_names_the_replica() {
    let echo = Program::start(&["echo", "--listen", "127.0.0.1:0", "--name", "first"]);
    let divisi = Program::start(&["-addr", "127.0.0.1:0", "--replica", &echo.addr, "--workers", "1"]);
    let answer = divisi.ask("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.to_ascii_lowercase().contains(&format!("x-internal-service: {}\r\n", echo.addr)), "{answer}");
    assert!(answer.contains("\r\n\r\nfirst\n"), "{answer}");
    assert!(divisi.log().contains("1 worker, service \"static\""), "{}", divisi.log());
}

#[test]
fn requests_are_lines_on_standard_output_and_the_log_is_elsewhere() {
    let echo = Program::start(&["echo", "--listen", "127.0.0.1:0", "--name", "first"]);
    for (format, expected) in
        [("combined", "\"GET /hello HTTP/1.1\" 200 "), ("json", "\"target\":\"/hello\""), ("off", "")]
    {
        let args = ["--listen", "127.0.0.1:0", "--replica", &echo.addr, "--workers", "1", "--access-log", format];
        let mut divisi = Program::start(&args);
        divisi.ask("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        divisi.terminate();
        assert_eq!(divisi.ended_within(Duration::from_secs(5)), Some(0), "{}", divisi.log());
        let lines = usize::from(format != "off");
        let output = divisi.output_of(lines);
        assert_eq!(output.lines().count(), lines, "{output}");
        assert!(output.contains(expected), "{format}: {output}");
    }
}

#[test]
fn a_signal_ends_it_with_code_0() {
    let mut divisi = Program::start(&["--listen", ":0", "--replica", "127.0.0.1:9"]);
    divisi.terminate();
    assert_eq!(divisi.ended_within(Duration::from_secs(5)), Some(0), "{}", divisi.log());
}

#[test]
fn a_second_signal_does_not_wait_for_open_requests() {
    let echo = Program::start(&["echo", "--listen", "127.0.0.1:0", "--delay", "30s"]);
    let mut divisi = Program::start(&["--listen", "127.0.0.1:0", "--replica", &echo.addr]);
    let open = divisi.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    std::thread::sleep(Duration::from_millis(300));
    divisi.terminate();
    assert_eq!(divisi.ended_within(Duration::from_millis(300)), None, "a request was open");
    divisi.terminate();
    assert_eq!(divisi.ended_within(Duration::from_secs(5)), Some(1), "{}", divisi.log());
    drop(open);
}

#[test]
fn the_demo_ends_by_itself_without_a_failed_request() {
    let ended = run(&["demo", "--seconds", "5", "--replicas", "3"], &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains(" requests answered, 0 failed"), "{}", ended.stdout);
    assert!(ended.stdout.contains("drains"), "nothing happened: {}", ended.stdout);
}
