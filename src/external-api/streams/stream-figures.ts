/** What this process has served since it started. */
export class StreamFigures {
  subscribers = 0
  eventsDelivered = 0
}
