//! Texts of the product that are no message.

/// How they begin.
pub const NOT_MESSAGES: [&str; 23] = [
    // What `--help` says.
    "Example:\n",
    "Examples:\n",
    "Examples, for a Job",
    "Exit codes: ",
    "\n\nTMINUS_LOG sets what is logged",
    "\n`local` always waits.",
    // Headings of tables.
    "ran by",
    "reported at (UTC)",
    "root dispersion",
    "round trip",
    "what happened",
    "what it says",
    // What others say, to be told by it.
    "Google Cloud",
    "Uncaught (in promise)",
    "error marshaling",
    "getting instance information",
    "setup() execution timed out",
    "test aborted:",
    "test run stopped from REST API",
    // What is said to k6.
    "GET /v1/status HTTP/1.1",
    "PATCH /v1/status HTTP/1.1",
    // The name of a thread; what a reader of documents expects, which comes after words of serde's.
    "name lookup",
    "an object",
];
