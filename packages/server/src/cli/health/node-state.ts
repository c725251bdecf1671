import type { NodeRecord } from "@ashlar/sdk/ports";
import { DISK_RESERVE_BYTES } from "../../node/index.ts";
import { isUsable, type NodeAnswers } from "./ask-nodes.ts";

/** Whether a node takes chunks: `full` ones are read, and `away` ones are not. */
export type NodeState = "writable" | "full" | "away";

/**
 * What a node says now counts more than its last heartbeat. If this machine does not reach it, the heartbeat counts: gateways may reach it.
 */
export function nodeState(node: NodeRecord | undefined, answers: NodeAnswers): NodeState {
  if (node?.state !== "up" || !isUsable(node)) return "away";
  const answer = answers.get(node.nodeId);
  if (answer === undefined || "reason" in answer) {
    if (answer?.isRefused) return "away";
    const { bytesFree = 0, bytesTotal = 0 } = node.stats ?? {};
    return bytesTotal > 0 && bytesFree < DISK_RESERVE_BYTES ? "full" : "writable";
  }
  if (!answer.ready || answer.checks.registry === "refused" || answer.checks.registry === "its clock differs")
    return "away";
  return answer.checks.store === "read-only" ? "full" : "writable";
}
