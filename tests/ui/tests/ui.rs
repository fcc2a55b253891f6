//! The face of the macros: what they accept compiles without a warning and runs, what they refuse is refused with these
//! words at this place. The expected errors are those of the compiler that the project builds with; after a change of
//! words, `TRYBUILD=overwrite cargo test -p ops-ui-tests` writes them anew, for the eye to check.

#[test]
fn macros_accept_and_refuse() {
    let cases = trybuild::TestCases::new();
    cases.pass("pass/*.rs");
    cases.compile_fail("fail/*.rs");
}
