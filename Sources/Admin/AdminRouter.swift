// placeholder until merged
public import Hummingbird
public func adminRouter(operations: any ClusterOperations, version: String) -> Hummingbird.Router<BasicRequestContext> {
  let r = Hummingbird.Router()
  r.get("/livez") { _, _ in "ok\n" }
  return r
}
