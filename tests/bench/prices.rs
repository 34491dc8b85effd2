//! What AWS asks for: on-demand prices of us-east-1 in US dollars, without free tiers and discounts.

/// As of when the prices are known here; what holds today stands at the pages named beside them.
pub const AS_OF: &str = "November 2026";

/// A price.
#[derive(Debug, Clone, Copy)]
pub struct Price {
    /// What it is for.
    pub what: &'static str,
    /// Dollars for one.
    pub usd: f64,
    /// Where it stands.
    pub source: &'static str,
}

const MILLION: f64 = 1e6;
const GB: f64 = 1024.0 * 1024.0 * 1024.0;

const fn price(what: &'static str, usd: f64, source: &'static str) -> Price {
    Price { what, usd, source }
}

pub const WRITE_UNIT: Price =
    price("DynamoDB write unit", 0.625 / MILLION, "aws.amazon.com/dynamodb/pricing/on-demand");
pub const READ_UNIT: Price =
    price("DynamoDB read unit", 0.125 / MILLION, "aws.amazon.com/dynamodb/pricing/on-demand");
pub const STORED_BYTE: Price =
    price("DynamoDB byte and month", 0.25 / GB, "aws.amazon.com/dynamodb/pricing/on-demand");
pub const SQS_REQUEST: Price = price("SQS request", 0.40 / MILLION, "aws.amazon.com/sqs/pricing");
pub const API_REQUEST: Price =
    price("HTTP API request", 1.00 / MILLION, "aws.amazon.com/api-gateway/pricing");
pub const INVOCATION: Price = price("Lambda invocation", 0.20 / MILLION, "aws.amazon.com/lambda/pricing");
pub const GB_SECOND: Price =
    price("Lambda GB-second, arm64", 0.000_013_333_4, "aws.amazon.com/lambda/pricing");
pub const LOG_BYTE: Price = price("CloudWatch log byte", 0.50 / GB, "aws.amazon.com/cloudwatch/pricing");
/// A month of 30 days has 43,200 of them.
pub const MINUTES_A_MONTH: f64 = 43_200.0;

/// Step Functions Standard: a transition.
pub const STANDARD_TRANSITION: Price =
    price("Step Functions Standard transition", 25.0 / MILLION, "aws.amazon.com/step-functions/pricing");
/// Step Functions Express: a run, whatever it has of steps, and its time at the smallest memory.
pub const EXPRESS_RUN: Price =
    price("Step Functions Express request", 1.0 / MILLION, "aws.amazon.com/step-functions/pricing");
pub const EXPRESS_GB_SECOND: Price =
    price("Step Functions Express GB-second", 0.000_016_67, "aws.amazon.com/step-functions/pricing");
/// Lambda durable functions: an operation (a step, a wait, a callback), beside the invocation's own price.
pub const DURABLE_OPERATION: Price =
    price("Lambda durable operation", 8.0 / MILLION, "aws.amazon.com/lambda/pricing");

/// All of them, for a reader to check.
pub const ALL: [Price; 12] = [
    WRITE_UNIT,
    READ_UNIT,
    STORED_BYTE,
    SQS_REQUEST,
    API_REQUEST,
    INVOCATION,
    GB_SECOND,
    LOG_BYTE,
    STANDARD_TRANSITION,
    EXPRESS_RUN,
    EXPRESS_GB_SECOND,
    DURABLE_OPERATION,
];
