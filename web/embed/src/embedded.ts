// The worker of an embedded player. Its session keys are its own: no page that shows it spends from a key of the relayer's own page.
import {keepIn} from "../../src/watch/database.ts";
import "../../src/watch/worker.ts";

keepIn("clustercast-embedded");
