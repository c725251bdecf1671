import type { SeatName, TransportName, Way } from "../connections.ts";
import { element } from "./elements.ts";

const SEATS: ReadonlyArray<readonly [SeatName, string, string]> = [
  ["gateway", "Gateway", "the gateway passes the bytes on to the storage nodes"],
  ["direct", "Direct", "the bytes go straight to the storage nodes"],
];
const TRANSPORTS: ReadonlyArray<readonly [TransportName, string, string]> = [
  ["http", "HTTP", "plain HTTP"],
  ["connect", "Connect", "the Connect protocol, binary"],
  ["grpc-web", "gRPC-Web", "gRPC-Web, binary"],
];
const KEPT_AS = "ashlar-way";
const DEFAULT: Way = { seat: "gateway", transport: "http" };

/** The two choices of how bytes travel. Running transfers go on as they began; a choice is for transfers that start or resume later. */
export function createWayPicker(onChange: (way: Way) => void): { readonly node: Node; readonly way: () => Way } {
  let way = keptWay();
  const choose = (change: Partial<Way>): void => {
    way = { ...way, ...change };
    localStorage.setItem(KEPT_AS, JSON.stringify(way));
    onChange(way);
  };
  const node = document.createDocumentFragment();
  node.append(
    choice("Seat", SEATS, way.seat, (seat) => choose({ seat })),
    choice("Transport", TRANSPORTS, way.transport, (transport) => choose({ transport })),
  );
  return { node, way: () => way };
}

function choice<T extends string>(
  title: string,
  options: ReadonlyArray<readonly [T, string, string]>,
  chosen: T,
  onChoose: (value: T) => void,
): HTMLFieldSetElement {
  const name = title.toLowerCase();
  const labels = options.map(([value, text, hint]) => {
    const input = element("input", { type: "radio", name, value, checked: value === chosen });
    input.addEventListener("change", () => onChoose(value));
    return element("label", { title: hint }, input, element("span", {}, text));
  });
  return element("fieldset", { class: "choice" }, element("legend", {}, title), ...labels);
}

function keptWay(): Way {
  const kept: Partial<Record<keyof Way, unknown>> = JSON.parse(localStorage.getItem(KEPT_AS) ?? "{}");
  const seat = SEATS.find(([value]) => value === kept.seat)?.[0] ?? DEFAULT.seat;
  const transport = TRANSPORTS.find(([value]) => value === kept.transport)?.[0] ?? DEFAULT.transport;
  return { seat, transport };
}
