//! Cases of the suite that come out otherwise here, by the reason for it.

/// Cases by the reason for which they come out otherwise.
pub type Exceptions = &'static [(&'static str, &'static [&'static str])];

/// Of what every implementation has to do.
pub const REQUIRED: Exceptions = &[(
    "There is one dialect: `$vocabulary` of a metaschema of others takes no keyword away, so that nobody can turn a check \
     off by the name of a dialect.",
    &[
        "vocabulary.json: schema that uses custom metaschema with with no validation vocabulary: no validation: invalid \
         number, but it still validates",
    ],
)];

/// Of what an implementation may do. All else there is claimed: bignums, the patterns of ECMA 262 that are tried,
/// `dependencies`, identifiers and anchors below unknown keywords.
pub const OPTIONAL: Exceptions = &[
    (
        "Documents are of one draft; those of another, which `$schema` would name, are not bundled.",
        &[
            "cross-draft.json: refs to historic drafts are processed as historic drafts: first item not a string is valid",
        ],
    ),
    (
        "`format` only annotates, also in the dialect of others that asserts it.",
        &[
            "format-assertion.json: schema that uses custom metaschema with format-assertion: false: format-assertion: \
             false: invalid string",
            "format-assertion.json: schema that uses custom metaschema with format-assertion: true: format-assertion: \
             true: invalid string",
        ],
    ),
];
