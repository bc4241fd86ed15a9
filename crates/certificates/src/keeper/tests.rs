use divisi_model::route::{Origin, Route, RoutingTable, Rule};
use divisi_model::{Snapshot, Unrouted};
use tokio::runtime::Builder;

use super::*;

fn world(hosts: usize) -> Snapshot {
    let route = |number: usize| {
        let origin = Origin { id: format!("{number}").into(), container: "c".into(), label: "l".into() };
        let rule = Rule::host(&format!("service-{number}.localhost")).expect("a host");
        Route::new("web", rule, "web", origin)
    };
    let routes = RoutingTable::build((0..hosts).map(route).collect()).0;
    Snapshot::new(Vec::new(), routes, Err(Unrouted::nowhere("no route")))
}

/// Generous: in a debug build, on a busy machine.
#[test]
fn two_thousand_hosts_cost_others_on_this_thread_little() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let vault = Vault::new().expect("a vault");
        let settings = Settings { local_authority: true, ..Settings::default() };
        let mut keeper = Keeper::new(settings, Arc::clone(&vault), Arc::default()).await;
        let published = Published::new(world(2_000));
        let begun = Instant::now();
        assert!(keeper.look(&published, &mut Weak::new()));
        println!("wishes {:?}", begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(1));
        let mut longest = Duration::ZERO;
        let begun = Instant::now();
        let others = async {
            let mut last = Instant::now();
            loop {
                yield_now().await;
                longest = longest.max(last.elapsed());
                last = Instant::now();
            }
        };
        tokio::select! {
            () = keeper.publish() => {}
            () = others => {}
        }
        println!("signed and published {:?}, others waited {longest:?} at most", begun.elapsed());
        assert_eq!(vault.load().certificates.len(), 2_000);
        let begun = Instant::now();
        keeper.publish().await;
        println!("published again {:?}", begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(1));
    });
}
