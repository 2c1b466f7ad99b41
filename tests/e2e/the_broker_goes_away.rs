use tm_sim::gate::GateMode;

use crate::cabinet::Cabinet;

#[tokio::test]
async fn measuring_goes_on_and_catches_up() {
    let cabinet = Cabinet::start(&["TM_UPLINK_BATCH_S=1"]).await;
    cabinet.until("/api/v1/uplink", |uplink| uplink["batches_acked"].as_u64() > Some(0)).await;
    let of_sensors = |cloud: &tm::demo::Received| {
        let mut numbers: Vec<(String, u64)> =
            cloud.polls.iter().filter(|(source, ..)| source == "sensors").map(|(_, run, n)| (run.clone(), *n)).collect();
        numbers.sort_unstable();
        numbers
    };
    cabinet.until_cloud("sensors", |cloud| !of_sensors(cloud).is_empty()).await;
    let before = cabinet.demo.cloud.with(|cloud| of_sensors(cloud).len());

    cabinet.demo.bus_gate.set_mode(GateMode::Refuse);
    cabinet.demo.bus_gate.cut();
    // The page does not go away with the broker.
    cabinet.until("/api/v1/status", |status| status["level"] != "ok").await;
    cabinet.demo.bus_gate.set_mode(GateMode::Forward);

    cabinet.until_cloud("what was measured meanwhile", |cloud| of_sensors(cloud).len() > before + 5).await;
    let numbers = cabinet.demo.cloud.with(of_sensors);
    let run = &numbers[0].0;
    assert!(numbers.iter().all(|(of, _)| of == run), "the collector was not restarted");
    let expected: Vec<u64> = (0..numbers.len() as u64).collect();
    let got: Vec<u64> = numbers.iter().map(|(_, n)| *n).collect();
    assert_eq!(got, expected, "no gap");
}
