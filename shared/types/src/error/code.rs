use std::fmt;

/// Which error it is, for programs: its name in capitals stands in the answer's `code` (api.md, *Errors*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::EnumIter)]
#[strum(const_into_str, serialize_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names are what callers read")]
pub enum ErrorCode {
    AlreadyShown,
    AlreadySubscribed,
    ApiUnanswered,
    ApiUnreachable,
    ApiUnreadable,
    BillingProviderNotConfigured,
    BillingProviderRefused,
    BodyTimeout,
    CauseInUse,
    CodeExists,
    CodeUnknown,
    CodeUsedUp,
    Conflict,
    ConnectionHostNotAllowed,
    ConnectionInUse,
    ConnectionRequired,
    ConnectionUnavailable,
    CredentialsMissing,
    CredentialsRequired,
    DependencyUnavailable,
    DiscountUnknown,
    ExpiryExceeded,
    GraphInvalid,
    GraphUnreadable,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    InsufficientCredits,
    Internal,
    InvalidRequest,
    InvalidSignature,
    KeyUnreadable,
    LastAdmin,
    LlmCredentialMismatch,
    LlmCredentialNotFound,
    LlmKeyNotFound,
    LlmModelUnknown,
    McpInstanceDisabled,
    McpInstanceNotFound,
    McpServer,
    McpServerInUse,
    MethodNotAllowed,
    NewerData,
    NoOpenTask,
    NoRuns,
    NoSubscription,
    NoSuchRoute,
    NoTools,
    NoTrial,
    NotFound,
    NotPublished,
    OwnProject,
    PaymentDeclined,
    PaymentDue,
    PlanNotSold,
    ProjectArchived,
    ProjectExists,
    ProjectNotEmpty,
    QuotaExceeded,
    RateLimited,
    RoleExceeded,
    RoleTooLow,
    RunIdInUse,
    RunNotRecoverable,
    RunState,
    ScopeExceeded,
    ScopeMissing,
    ServiceInUse,
    SeveralOpenTasks,
    SlugInUse,
    Stale,
    TaskClosed,
    TenantRunLimit,
    TooLarge,
    TooManyGrants,
    TooManySecrets,
    TooManyTokens,
    ToolNameInUse,
    ToolsDropped,
    TrialUsed,
    Unauthenticated,
    Unreadable,
    UnsupportedEncoding,
    VersionExists,
    WorkflowArchived,
    WrongPlace,
}

impl ErrorCode {
    /// The code as callers read it.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
