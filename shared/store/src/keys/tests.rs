use super::*;
use platform::secrets::SecretKind;
use types::ids::{SecretVersion, TriggerId};

#[test]
fn what_stands_there_is_told_apart_by_their_place_among_the_deadlines() {
    let at = Timestamp::from_millis(1_790_000_000_000);
    // A tenant may be called anything that a slug can spell.
    let place = Place { tenant_id: "trigger".parse().unwrap(), project_id: "default".parse().unwrap() };
    let run = RunRef { place: place.clone(), run_id: RunId::new(at) };
    let workflow_id = WorkflowId::new(at);
    let trigger = TriggerRef { place, workflow_id, trigger_id: TriggerId::new(at) };
    assert_eq!(at_deadline(&deadline_position(at, &run)), Some(AtDeadline::Run(run)));
    assert_eq!(at_deadline(&trigger_position(at, &trigger)), Some(AtDeadline::Trigger(trigger.clone())));
    let secret = SecretRef {
        place: trigger.place.clone(),
        kind: SecretKind::LlmKey,
        owner: workflow_id.into(),
        version: SecretVersion::new(at),
    };
    let position = secret_position(at, &secret);
    assert_eq!(deadline_of(&position), Some(at));
    assert_eq!(at_deadline(&position), Some(AtDeadline::Secret(secret)));
    let tenant = trigger.place.tenant_id.clone();
    let position = standing_position(at, &tenant);
    assert_eq!(at_deadline(&position), Some(AtDeadline::Standing(tenant)));
    for wrong in ["", "1", "1#a#b", "1#TRIGGER#a#b", "1#a#b#c", "1#a#b#c#d", "1#RUN#a#b#c#d"] {
        assert_eq!(at_deadline(wrong), None, "{wrong}");
    }
    let position = trigger_position(at, &trigger);
    assert!(position.as_str() > deadline_before(at).as_str(), "not before its time");
    assert!(position < deadline_before(at.plus(std::time::Duration::from_millis(1))));
}
