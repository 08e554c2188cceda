print("fairlead: nothing serves yet; see README.md")
