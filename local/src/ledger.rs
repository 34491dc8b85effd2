//! `local ledger verify`: every workspace's balance, worked out again from its ledger.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use embedded::{EmbeddedDynamo, dynamo_client};
use shared::services::billing::{self, Verified};
use shared::store::Store;
use shared::types::clock::Clock;

use crate::process::{TABLE, TABLE_FILE};
use crate::secrets::FileSecrets;

/// Prints a line per workspace; fails when a balance is not what its entries come to.
pub(crate) async fn verify(data_dir: &Path) -> ExitCode {
    match verified(data_dir).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ =
                writeln!(std::io::stderr(), "cannot verify the ledger in {}: {error}", data_dir.display());
            ExitCode::FAILURE
        }
    }
}

async fn verified(data_dir: &Path) -> Result<bool, Box<dyn std::error::Error>> {
    let file = data_dir.join(TABLE_FILE);
    if !file.exists() {
        return Err("there is no data".into());
    }
    // Holds the directory, so that no process changes what is compared.
    let _held = FileSecrets::open(data_dir).await?;
    let dynamo = EmbeddedDynamo::open(Some(&file)).await?;
    let store = Store::new(dynamo_client(&dynamo, []), TABLE, Clock::System);
    let mut equal = true;
    for tenant in store.tenants().await? {
        match billing::verify(&store, &tenant, Clock::System.now()).await {
            Ok(verified) => {
                equal &= verified.differences.is_empty();
                write!(std::io::stdout(), "{}", told(tenant.as_str(), &verified))?;
            }
            // The others are verified all the same.
            Err(error) => {
                equal = false;
                writeln!(std::io::stdout(), "{tenant}: CANNOT BE READ; {error}")?;
            }
        }
    }
    dynamo.shutdown().await;
    Ok(equal)
}

fn told(tenant: &str, verified: &Verified) -> String {
    let Verified { entries, used, balance, differences } = verified;
    let verdict = if differences.is_empty() { "equal" } else { "DIFFERENT" };
    let mut text = format!(
        "{tenant}: {verdict}; {entries} entries, used {used}, left trial {}, included {}, payg {}, owed {}\n",
        balance.trial, balance.included, balance.payg, balance.owed
    );
    for difference in differences {
        text.push_str(&format!("  {difference}\n"));
    }
    text
}
